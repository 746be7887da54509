# SPDX-License-Identifier: Apache-2.0
"""Owners, modes, device nodes, capabilities and contents are those of an installation by real root, whoever builds:
real Debian packages that are hard on owners, a package that does all that scripts do (oracle_probe), and a step on top.

With a network: the packages come from the host's mirror, once for all accounts. About two minutes."""
import concurrent.futures
import json
import pathlib
import shutil
import tempfile

import accounts
import debs
import oracle_probe
import oracle_root
import pytest
from conftest import TOP, Varve
from oracle_trees import differences, table, tree_of_directory, tree_of_image
from support import NAME, Project

ACCOUNTS = ["root", "subuid", "one"]
PACKAGES = ["openssh-client", "cron", "dbus", "iputils-ping", "libcap2-bin", "liblockfile-bin", "sudo", "at", "openssh-server",
            "postfix", "adduser", "python3-minimal", "acl"]
# Random bytes that postinst scripts make; an image that is to be the same each time makes them at its first start.
RANDOM = ["etc/ssh/ssh_host_*", "etc/ssl/certs/ssl-cert-snakeoil.pem", "etc/ssl/private/ssl-cert-snakeoil.key",
          "etc/aliases.db"]  # Berkeley DB: has a random number
RECIPE = {"varve": 1, "name": "oracle", "sources": {
    "system": {"kind": "debian", "suite": "bookworm", "packages": PACKAGES},
    "probe": {"kind": "debian", "suite": "bookworm", "mirror": "probe", "keyring": "probe.gpg", "packages": ["oracle-probe"]}},
    "stages": {"main": {"steps": [{"step": "system", "install": "system", "scrub": RANDOM}, {"step": "probe", "install": "probe"},
                                  {"step": "later", "run": oracle_probe.LATER, "scrub": ["debian"]}]}},
    "images": {"main": {"stage": "main", "name": NAME}}}
ALLOWED = {
    "|".join(pattern.replace("*", ".*") for pattern in RANDOM): "*",
    "srv/probe/special/socket": "*",  # no layer can hold one
    # The built-in scrub set "debian": caches, backups, locks and logs.
    "etc/(passwd|group|shadow|gshadow|subuid|subgid)-|etc/.pwd.lock|etc/machine-id|var/lib/dbus/machine-id": "*",
    "var/lib/dpkg/(lock|lock-frontend|triggers/Lock|[a-z]*-old)|var/cache/(ldconfig/aux-cache|debconf/.*-old)": "*",
    "var/log/alternatives.log": "*",
}


class Inputs:
    """The packages' bytes and lock, from which every account builds without a network."""

    def __init__(self, binary, signing_key):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="varve-oracle-"))
        self.directory.chmod(0o755)
        self.account = accounts.find(accounts.current())
        self.repo = debs.make_repo(self.directory / "repo", [oracle_probe.PACKAGE], signing_key)
        self.project = self.prepare(Varve(binary, self.account))
        self.reached = self.project.varve("fetch", "r.yaml", *self.project.mirror, rc=None)

    def prepare(self, varve):
        project = Project(varve)
        project.mirror = ["--mirror", f"probe=file://{self.repo.path}"]
        project.write_recipe(RECIPE)
        project.varve.write("probe.gpg", self.repo.keyring.read_bytes())
        return project

    @property
    def lock(self):
        return json.loads(self.project.varve.path("r.lock.json").read_text())["sources"]

    def source(self, name):
        return next(source for source in self.lock if source["name"] == name)

    def blob(self, artifact):
        return self.project.varve.store / "blobs/sha256" / artifact["sha256"]

    def close(self):
        self.account.close()
        shutil.rmtree(self.directory)

    def build(self, varve):
        """The finished project of an account, without a network."""
        project = self.prepare(varve)
        project.varve.write("r.lock.json", self.project.varve.path("r.lock.json").read_bytes())
        shutil.copytree(self.project.varve.store / "blobs", project.varve.store / "blobs")
        project.account.own(project.varve.store)
        project.done = project.build("--offline", "--locked", rc=None, timeout=600)
        return project

    def install_as_root(self):
        system = [(one["name"], self.blob(one), one.get("essential")) for one in self.source("system")["artifacts"]]
        root = oracle_root.Root(self.directory / "oracle", self.source("system")["facts"]["date"])
        root.bootstrap([one[:2] for one in system if one[2]])
        root.install(oracle_root.in_batches([one[:2] for one in system if not one[2]]))
        root.install([[(one["name"], self.blob(one))] for one in self.source("probe")["artifacts"]])
        root.run("mount --make-rprivate / 2>/dev/null || :; cd /; sh -euc " + oracle_probe.quoted(oracle_probe.LATER))
        return tree_of_directory(root.path)


@pytest.fixture(scope="session")
def inputs(binary, signing_key):
    made = Inputs(binary, signing_key)
    if made.reached.rc != 0:
        made.close()
        pytest.skip(f"the host's Debian mirror cannot be reached: {made.reached.stderr.strip()[:200]}")
    yield made
    made.close()


class Runs:
    """Installations by each account and by real root, two at a time, each once."""

    def __init__(self, binary, inputs):
        self.inputs, self.binary, self.made = inputs, binary, []
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        self.oracle = self.pool.submit(inputs.install_as_root) if oracle_root.possible() is None else None
        self.builds = {name: self.pool.submit(self.build, name) for name in ACCOUNTS}

    def build(self, name):
        account = accounts.find(name)
        self.made.append(account)
        return self.inputs.build(Varve(self.binary, account))

    def project(self, name):
        try:
            project = self.builds[name].result()
        except accounts.Unavailable as reason:
            pytest.skip(str(reason))
        if project.done.result.rc != 0:
            pytest.fail("\n".join([f"as {name}: {project.done.text}", *project.done.output[-40:]]), pytrace=False)
        return project

    def close(self):
        self.pool.shutdown()
        for account in self.made:
            account.close()


@pytest.fixture(scope="session")
def runs(binary, inputs):
    made = Runs(binary, inputs)
    yield made
    made.close()


@pytest.mark.parametrize("name", ACCOUNTS)
def test_installed_as_by_real_root(runs, name):
    if runs.oracle is None:
        pytest.skip(oracle_root.possible())
    tree = tree_of_image(runs.project(name).image())
    assert len(tree) > 4000 and "srv/probe-seen/REPORT-LATER" in tree
    told = table(differences(tree, runs.oracle.result(), ALLOWED), name, "real root")
    if told:
        pytest.fail(told, pytrace=False)


@pytest.mark.parametrize("name", ["subuid", "one"])
def test_the_differences_that_are_left(runs, name):
    """The kernel asks for privilege in its first namespace; with one id it knows no other one; it lists a device as a file."""
    inside = lambda command: runs.project(name).inside(command).stdout
    assert inside("touch /a; chmod 6755 /a; echo x >>/a; stat -c %a /a") == "755\n"  # 6755 with real root
    assert inside("mknod /a c 1 3; find /a -type c; mkdir /d; mv /a /d; find /d -type c; test -c /d/a && echo c") == "/a\nc\n"
    told = inside("touch /a; setfacl -m u:daemon:r /a 2>&1 || echo refused")
    assert told == ("" if name == "subuid" else "setfacl: /a: Invalid argument\nrefused\n")


@pytest.mark.parametrize("name", ["subuid", "one"])
def test_the_same_layers_for_every_account(runs, name):
    one, other = runs.project("root" if "root" in usable() else "subuid"), runs.project(name)
    told = table(differences(tree_of_image(other.image()), tree_of_image(one.image()), {}), name, one.account.name)
    assert other.diff_ids() == one.diff_ids(), told
    assert other.image().descriptor["digest"] == one.image().descriptor["digest"]


def usable():
    """Accounts that are there."""
    found = []
    for name in ACCOUNTS:
        try:
            accounts.find(name)
            found.append(name)
        except accounts.Unavailable:
            continue
    return found


@pytest.fixture
def hello_inputs(binary, account):
    """Directory and lock of hello with its packages fetched."""
    varve = Varve(binary, account(accounts.current()))
    shutil.copytree(TOP / "recipes", varve.path("recipes"))
    varve.account.own(varve.directory)
    if varve("fetch", "recipes/hello.yaml", "--locked", rc=None).rc != 0:
        pytest.skip("the host's Debian mirror cannot be reached")
    return varve


def test_hello_is_the_same_image_for_every_account(binary, account, hello_inputs):
    def build(varve):
        shutil.copytree(hello_inputs.path("recipes"), varve.path("recipes"))
        shutil.copytree(hello_inputs.store / "blobs", varve.store / "blobs")
        varve.account.own(varve.directory)
        return varve("build", "recipes/hello.yaml", "--offline", "--locked").stdout
    names = usable()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        told = list(pool.map(build, [Varve(binary, account(name)) for name in names]))
    assert told[0].startswith("sha256:") and told == [told[0]] * len(names), dict(zip(names, told))
    if len(names) == 1:
        pytest.skip(f"only as {names[0]}: no other accounts here (tests/run makes them, run as root)")
