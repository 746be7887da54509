# SPDX-License-Identifier: Apache-2.0
"""Debian from nothing but .deb files: the bootstrap, maintainer scripts, and owners as real root has them.

The packages are those that this host has installed (debs_of_host), so that no network is needed."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import accounts
import debs
import debs_of_host
import oracle_root
import pytest
from conftest import Varve
from oci_schema import check_layout
from oracle_trees import differences, table, tree_of_directory, tree_of_image
from support import Project

NAME = "t/main:latest"
SYSTEM = {"kind": "debian", "suite": "bookworm", "keyring": "base.gpg", "packages": ["owners"]}
# Owners and modes that only come out right when a package manager acts as root: as shipped, and as scripts make them.
PLAIN = {"uname": "", "gname": ""}  # a name would count more than the number
OWNERS = {
    "name": "owners", "depends": "passwd, adduser, libcap2-bin, debconf",
    "files": {"usr/bin/suid": {"data": "#!/bin/sh\n", "mode": 0o4755}, "usr/bin/sgid": {"data": "#!/bin/sh\n", "mode": 0o2755, "gid": 42, **PLAIN},
              "usr/bin/limited": "#!/bin/sh\n", "usr/bin/capable": "#!/bin/sh\n", "srv/shared/": {"mode": 0o2775, "gid": 50, **PLAIN},
              "srv/drop/": {"mode": 0o1777}, "etc/secret": {"data": "s", "mode": 0o640, "uid": 7, "gid": 8, **PLAIN},
              "srv/mail": {"link": "../var/mail"}, "srv/twin": "x", "srv/twin2": {"hardlink": "srv/twin"},
              "srv/far": {"data": "f", "uid": 60000, "gid": 65533, **PLAIN}, "srv/changed": "c", "srv/ü n": "name"},
    "scripts": {"postinst": """#!/bin/sh
set -e
dpkg-statoverride --list /usr/bin/limited || dpkg-statoverride --update --add root daemon 4710 /usr/bin/limited
setcap cap_net_raw+ep /usr/bin/capable
adduser --system --group --quiet --home /var/lib/svc svc
install -d -o svc -g svc -m 2750 /var/lib/svc/state
mkfifo -m 600 /var/lib/svc/pipe
chown svc:adm /var/lib/svc/pipe /srv/changed
chmod g+s,o= /srv/changed
"""}, "conffiles": ["/etc/secret"]}


@pytest.fixture(scope="session")
def base_repo(signing_key):
    """An archive of what is essential here, and of the package OWNERS, where every account can read it."""
    try:
        packages = debs_of_host.host_packages(["passwd", "adduser", "libcap2-bin", "debconf", "usr-is-merged"])
    except debs.Missing as reason:
        pytest.skip(str(reason))
    packages = [{**package, "compression": "none"} for package in packages]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="varve-repo-"))
    directory.chmod(0o755)
    yield debs.make_repo(directory, [*packages, OWNERS], signing_key)
    shutil.rmtree(directory)


def base_project(binary, account, repo):
    project = Project(Varve(binary, account))
    project.varve.write("base.gpg", repo.keyring.read_bytes())
    project.mirror = ["--mirror", f"debian=file://{repo.path}"]
    return project


def build_base(project, *arguments, **options):
    project.write_recipe({"varve": 1, "name": "base", "sources": {"system": SYSTEM},
                          "stages": {"base": {"steps": [{"step": "system", "install": "system"}]}},
                          "images": {"base": {"stage": "base", "name": NAME}}}, "base.yaml")
    return project.build(*project.mirror, *arguments, file="base.yaml", **options)


@pytest.fixture(scope="session")
def base(binary, base_repo):
    """A project whose store has the base; the tests share it, each with packages of its own on top."""
    account = accounts.find(accounts.current())
    project = base_project(binary, account, base_repo)
    project.first_build = build_base(project)
    yield project
    account.close()


class Upper:
    """Packages installed on top of the base."""

    def __init__(self, base, make_repo):
        self.base, self.make_repo, self.count = base, make_repo, 0

    def __call__(self, packages, *, wanted=None, before=(), after=(), rc=0, **fields):
        """Builds an image with the packages (those wanted) and returns what the build told."""
        steps, sources, mirrors = [*before], {"system": SYSTEM}, list(self.base.mirror)
        for number, group in enumerate(packages if isinstance(packages[0], list) else [packages]):
            repo, name = self.make_repo(group), f"more{number}"
            self.base.varve.write(f"{name}.gpg", repo.keyring.read_bytes())
            names = wanted[number] if wanted else [package["name"] for package in group]
            sources[name] = {"kind": "debian", "suite": "bookworm", "mirror": name, "keyring": f"{name}.gpg", "packages": names}
            mirrors += ["--mirror", f"{name}=file://{repo.path}"]
            steps.append({"step": name, "install": name, **fields})
        self.base.varve.path("r.lock.json").unlink(missing_ok=True)
        self.base.write_recipe({"varve": 1, "name": "t", "sources": sources, "stages": {
            "base": {"steps": [{"step": "system", "install": "system"}]}, "main": {"from": "base", "steps": [*steps, *after]}},
            "images": {"main": {"stage": "main", "name": "t/upper:1"}}})
        return self.base.build(*mirrors, rc=rc)

    @property
    def image(self):
        return self.base.image("t/upper:1")

    def inside(self, command, **options):
        return self.base.inside(command, image="t/upper:1", **options).stdout

    def text(self, name):
        return self.image.files[name].data.decode()


@pytest.fixture
def install(base, make_repo):
    return Upper(base, make_repo)


def script(text):
    return "#!/bin/sh\nset -e\n" + text


# --- the bootstrap -------------------------------------------------------------------------------

def test_every_package_of_the_base_is_configured(base):
    assert base.first_build.ran == ["base/system"]
    states = base.inside("dpkg-query -W -f '${db:Status-Abbrev}:${Package}\\n'").stdout.split("\n")[:-1]
    assert {line.partition(":")[0].strip() for line in states} == {"ii"}
    locked = {line.partition(":")[2] for line in states}
    assert "owners" in locked and {"dpkg", "libc6", "base-files", "dash"} <= locked
    assert base.inside("dpkg --audit; dpkg --verify").stdout == ""


def test_the_base_is_one_layer_with_merged_usr(base):
    image = base.image()
    assert len(image.layers) == 1
    assert {name: image.files[name].link for name in ("bin", "sbin", "lib")} == {
        "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib"}
    assert "usr/sbin/policy-rc.d" not in image.files and "etc/passwd" in image.files
    assert [name for name in image.files if name.startswith(("run/", "tmp/", "dev/", "proc/"))] == []
    check_layout(base.varve.store)


def test_nothing_in_the_base_tells_of_the_build(base):
    for name, file in base.image().files.items():
        assert not (file.data and b"127.0.0.1:" in file.data and b"varve" in file.data), name
    assert base.image().files["srv/twin"].mtime == 1700000000


def test_the_base_is_cached(base):
    assert build_base(base, "--expect-cached", "--offline").ran == []


# --- owners: the independent oracle is dpkg in a chroot, run by real root ------------------------

# What only one of the two makes, and why.
ALLOWED = {
    "var/lib/dpkg/(lock|lock-frontend|triggers/Lock|[a-z]*-old|updates/.*)": "*",  # locks and backups of dpkg
    "var/cache/(ldconfig|debconf)/.*": "*",  # caches; debconf keeps -old backups beside its files
    "etc/(passwd|group|shadow|gshadow|subuid|subgid)-|etc/.pwd.lock": "*",  # backups and lock of shadow
    "var/log/.*": "*",
}


def test_owners_are_those_of_real_root(base, base_repo, tmp_path):
    if oracle_root.possible():
        pytest.skip(oracle_root.possible())
    names = base.inside("dpkg-query -W -f '${Package}\\n'").stdout.split()
    root = oracle_root.Root(tmp_path, debs.EPOCH)
    root.bootstrap([(name, base_repo.deb(name)) for name in names])
    assert not table(differences(tree_of_image(base.image()), tree_of_directory(root.path), ALLOWED), "varve", "real root")


def test_owners_that_need_root(base):
    files = base.image().files
    user = next(line.split(":") for line in files["etc/passwd"].data.decode().split("\n") if line.startswith("svc:"))
    svc, group = int(user[2]), int(user[3])
    found = {name: (files[name].mode, files[name].uid, files[name].gid) for name in
             ("usr/bin/suid", "usr/bin/sgid", "usr/bin/limited", "srv/shared", "srv/drop", "etc/secret", "srv/far", "srv/changed",
              "var/lib/svc/state", "var/lib/svc/pipe", "etc/shadow", "usr/bin/su")}
    assert found == {"usr/bin/suid": (0o4755, 0, 0), "usr/bin/sgid": (0o2755, 0, 42), "usr/bin/limited": (0o4710, 0, 1),
                     "srv/shared": (0o2775, 0, 50), "srv/drop": (0o1777, 0, 0), "etc/secret": (0o640, 7, 8),
                     "srv/far": (0o644, 60000, 65533), "srv/changed": (0o2640, svc, 4), "var/lib/svc/state": (0o2750, svc, group),
                     "var/lib/svc/pipe": (0o600, svc, 4), "etc/shadow": (0o640, 0, 42), "usr/bin/su": (0o4755, 0, 0)}
    # cap_net_raw+ep as VFS_CAP_REVISION_2: no id of a user namespace is in it.
    assert files["usr/bin/capable"].xattrs == {"security.capability": bytes.fromhex("0100000200200000000000000000000000000000")}
    assert files["srv/twin"] is files["srv/twin2"] and files["srv/ü n"].data == b"name"


def test_the_same_bytes_for_another_account_in_another_place(base, base_repo, as_user):
    varve = as_user("subuid")
    project = base_project(varve.binary, varve.account, base_repo)
    project.varve.store = project.varve.env["VARVE_STORE"] = project.varve.directory / "else where" / "säcke"
    build_base(project, env={"TZ": "Asia/Kolkata", "LANG": "de_DE.UTF-8", "LC_ALL": "tr_TR.UTF-8"}, umask=0o077)
    assert project.diff_ids() == base.diff_ids()
    assert project.image().descriptor["digest"] == base.image().descriptor["digest"]


def test_an_install_in_parts(install):
    halves = {f"srv/{half}/data": (half * 100000, 0o640) for half in ("left", "right")}
    packages = [{"name": "halves", "files": {name: {"data": data, "mode": mode, "uid": 7, "gid": 8, **PLAIN}
                                             for name, (data, mode) in halves.items()}}]
    install(packages)
    whole = install.image
    install(packages, split={"maximum": "600kB"})
    divided = install.image
    homes = [[half for half in ("left", "right") if f"srv/{half}/data" in layer] for layer in divided.layers]
    assert [home for home in homes if home] == [["left"], ["right"]]
    assert {name: (file.kind, file.mode, file.uid, file.gid, file.mtime, file.data) for name, file in divided.files.items()} == {
        name: (file.kind, file.mode, file.uid, file.gid, file.mtime, file.data) for name, file in whole.files.items()}
    assert install.inside("dpkg --audit; dpkg --verify") == ""


# --- maintainer scripts --------------------------------------------------------------------------

def log(name):
    return script(f'echo "{name} $1" >>/scripts.log\n')


def test_scripts_run_in_dpkgs_order(install):
    install([{"name": "pkg-a", "scripts": {one: log(f"a-{one}") for one in ("preinst", "postinst", "prerm", "postrm")}},
             {"name": "pkg-b", "depends": "pkg-a", "scripts": {"postinst": log("b-postinst")}}])
    assert install.text("scripts.log").splitlines() == ["a-preinst install", "a-postinst configure", "b-postinst configure"]
    assert install.inside("dpkg --audit") == ""


def test_what_is_pre_depended_on_is_configured_first(install):
    chain = [{"name": f"pre{n}", "pre_depends": f"pre{n - 1}" if n else None,
              "scripts": {"preinst": script(f"test {n} = 0 || test -e /made{n - 1}\n"), "postinst": script(f"touch /made{n}\n")}}
             for n in range(4)]
    install(list(reversed(chain)), wanted=[["pre3"]])
    assert install.inside("ls -d /made*").split() == ["/made0", "/made1", "/made2", "/made3"]


def test_dependencies_in_a_circle(install):
    install([{"name": "hen", "depends": "egg", "scripts": {"postinst": log("hen")}},
             {"name": "egg", "depends": "hen", "scripts": {"postinst": log("egg")}}])
    assert sorted(install.text("scripts.log").split()) == ["configure", "configure", "egg", "hen"]


def test_debconf_asks_nobody(install):
    template = "Template: ask/me\nType: string\nDefault: the default\nDescription: who?\n"
    install([{"name": "ask", "depends": "debconf", "scripts": {
        "templates": template, "config": script(". /usr/share/debconf/confmodule\ndb_input critical ask/me || true\ndb_go\n"),
        "postinst": script('. /usr/share/debconf/confmodule\ndb_get ask/me\necho "$RET" >/answer\ndb_stop\n')}}])
    assert install.text("answer") == "the default\n"


def test_no_service_is_started(install):
    service = {"etc/init.d/svcd": {"data": "#!/bin/sh\ntouch /started\n", "mode": 0o755}}
    build = install([{"name": "svcd", "files": service, "scripts": {"postinst": script(
        "update-rc.d svcd defaults || true\ninvoke-rc.d svcd start\n/usr/sbin/policy-rc.d svcd start || echo $? >/policy\n")}}])
    assert install.text("policy") == "101\n" and "started" not in install.image.files
    assert any("policy-rc.d denied" in line for line in build.output)
    assert not [name for layer in install.image.layers for name in layer if name.endswith("/policy-rc.d")]


def test_an_image_with_a_policy_keeps_it(install):
    policy = {"step": "policy", "run": "echo mine >/usr/sbin/policy-rc.d; chmod 700 /usr/sbin/policy-rc.d"}
    install([{"name": "later"}], before=[policy])
    assert install.image.files["usr/sbin/policy-rc.d"].mode == 0o700 and install.text("usr/sbin/policy-rc.d") == "mine\n"


def test_a_postinst_that_fails_fails_the_step(install, base):
    before = sorted(base.varve.store.glob("steps/*"))
    build = install([{"name": "broken", "scripts": {"postinst": script("echo to stdout; echo to stderr >&2; touch /left; exit 7\n")}}], rc=1)
    assert {"to stdout", "to stderr"} <= set(build.output)
    assert re.search("post-installation script subprocess returned error exit status 7", "\n".join(build.output))
    message = build.text
    assert "main/more0" in message and "varve shell --failed" in message
    path = re.search(r"/\S*logs/\S+", message)
    assert path and "to stderr" in pathlib.Path(path[0].rstrip(".,:)")).read_text()
    assert sorted(base.varve.store.glob("steps/*")) == before
    assert base.varve("shell", "--failed", "r.yaml", "more0", "ls", "-d", "/left", rc=0).stdout == "/left\n"


def test_conffiles_are_kept_and_known(install):
    old, new = ({"name": "conf", "version": str(n), "files": {"etc/conf/a": f"a{n}\n", "etc/conf/b": f"b{n}\n"},
                 "conffiles": ["/etc/conf/a", "/etc/conf/b"]} for n in (1, 2))
    edit = {"step": "edit", "run": "echo mine >/etc/conf/b"}
    install([[old]])
    assert re.search(r"^ /etc/conf/a [0-9a-f]{32}$", install.inside("dpkg-query -W -f '${Conffiles}\\n' conf"), re.M)
    install([[{**old, "scripts": {"postinst": script("echo mine >/etc/conf/b\n")}}], [new]], wanted=[["conf"], ["conf=2"]])
    assert (install.text("etc/conf/a"), install.text("etc/conf/b")) == ("a2\n", "mine\n")
    install([[new]], before=[{"step": "mine", "run": "mkdir -p /etc/conf; echo mine >/etc/conf/a"}], after=[edit])
    assert (install.text("etc/conf/a"), install.text("etc/conf/b")) == ("mine\n", "mine\n")


def test_triggers_are_run(install):
    note = script('case $1 in triggered) echo "$2" >>/triggered ;; esac\n')
    install([[{"name": "watch", "triggers": "interest-noawait /usr/share/watched\ninterest named\n", "scripts": {"postinst": note}}],
             [{"name": "file", "files": {"usr/share/watched/x": "x"}}, {"name": "asks", "triggers": "activate-noawait named\n"}]])
    assert set(install.text("triggered").split()) == {"/usr/share/watched", "named"}
    assert install.inside("dpkg --audit") == ""


def test_a_diversion_in_preinst(install):
    divert = script("dpkg-divert --package wrap --add --rename --divert /usr/bin/tool.real /usr/bin/tool\n")
    install([[{"name": "tool", "files": {"usr/bin/tool": "#!/bin/sh\necho real\n"}}],
             [{"name": "wrap", "files": {"usr/bin/tool": "#!/bin/sh\necho wrapped\n"}, "scripts": {"preinst": divert}}]])
    assert install.inside("tool; tool.real; dpkg-divert --list wrap").splitlines() == [
        "wrapped", "real", "diversion of /usr/bin/tool to /usr/bin/tool.real by wrap"]


def test_alternatives(install):
    packages = [{"name": name, "files": {f"usr/bin/{name}": f"#!/bin/sh\necho {name}\n"}, "scripts": {"postinst": script(
        f"update-alternatives --install /usr/bin/ed-it ed-it /usr/bin/{name} {priority}\n")}} for name, priority in (("big", 50), ("small", 10))]
    install(packages)
    files = install.image.files
    assert files["usr/bin/ed-it"].link == "/etc/alternatives/ed-it" and files["etc/alternatives/ed-it"].link == "/usr/bin/big"
    assert install.inside("ed-it") == "big\n"


def test_a_second_install_replaces_a_version(install):
    install([[{"name": "app", "version": "1", "files": {"usr/share/app/old": "o", "usr/share/app/both": "1"}}],
             [{"name": "app", "version": "2", "files": {"usr/share/app/new": "n", "usr/share/app/both": "2"},
               "scripts": {"preinst": log("preinst"), "postinst": log("postinst")}}]], wanted=[["app"], ["app=2"]])
    layer = install.image.layers[-1]
    assert "usr/share/app/.wh.old" in layer and layer["usr/share/app/both"].data == b"2"
    assert install.text("scripts.log").splitlines() == ["preinst upgrade", "postinst configure"]
    assert install.inside("dpkg-query -W -f '${Version}' app; ls /usr/share/app") == "2both\nnew\n"


def test_a_second_install_brings_only_what_is_missing(install, base):
    install([[{"name": "one"}], [{"name": "two", "depends": "one, dash, owners"}]])
    lock = base.varve.path("r.lock.json").read_text()
    names = re.findall(r'^\{"name":"([^"]+)","version"', lock, re.M)
    assert (names.count("one"), names.count("two"), names.count("dash")) == (1, 1, 1)


def test_a_script_has_no_network_and_a_fixed_clock_and_environment(install):
    install([{"name": "looks", "scripts": {"postinst": script(
        "env | sort >/environment; umask >/umask; cut -d: -f1 -s /proc/net/dev >/net; hostname >/name; id -u >/id; "
        "! read x; tty >/tty || true\n")}}])
    environment = dict(line.split("=", 1) for line in install.text("environment").splitlines())
    assert environment["DEBIAN_FRONTEND"] == "noninteractive" and environment["SOURCE_DATE_EPOCH"] == "1700000000"
    assert environment["LC_ALL"] == "C.UTF-8" and "VARVE_STORE" not in environment
    assert (install.text("umask"), install.text("net").split(), install.text("id"), install.text("tty")) == (
        "0022\n", ["lo"], "0\n", "not a tty\n")


# --- real packages from the host's own mirror ----------------------------------------------------

REAL = ["openssh-client", "cron", "dbus", "iputils-ping", "liblockfile-bin", "at", "adduser"]


# What mmdebstrap writes by itself, and dpkg's list "available", which it removes; another clock, other keys.
APT = {"(var/lib/apt|var/cache/apt|etc/apt)(/.*)?|var/lib/dpkg/(cmethopt|methods.*|arch|available)": "*",
       "etc/(hostname|resolv.conf|fstab)": "*", ".*": "content"}


def mmdebstrap_tree(locked, store, directory):
    """The very same .debs as an archive for mmdebstrap, which installs them as real root."""
    archive, root, stanzas = directory / "archive", directory / "root", []
    archive.mkdir()
    for one in locked:
        deb = archive / one["from"].rpartition("/")[2]
        shutil.copy(store / "blobs/sha256" / one["sha256"], deb)
        fields = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True).stdout
        stanzas.append(f"{fields}Filename: ./{deb.name}\nSize: {one['size']}\nSHA256: {one['sha256']}\n")
    (archive / "Packages").write_text("\n".join(stanzas))
    names = ",".join(one["name"] for one in locked)
    done = subprocess.run(["mmdebstrap", "--mode=root", "--variant=custom", "--format=directory", f"--include={names}",
                           "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "", root,
                           f"deb [trusted=yes] copy:{archive} ./"], check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return root


@pytest.mark.slow  # test_oracle does more of this, with dpkg alone
def test_real_packages_as_mmdebstrap_installs_them(binary, account, need, tmp_path):
    """With a network, half a minute: Debian bookworm by varve as root and with subordinate ids, and by mmdebstrap."""
    need("mmdebstrap")
    recipe = {"varve": 1, "name": "real", "sources": {"system": {"kind": "debian", "suite": "bookworm", "packages": REAL}},
              "stages": {"main": {"steps": [{"step": "system", "install": "system"}]}}, "images": {"main": {"stage": "main", "name": NAME}}}
    projects = [Project(Varve(binary, account(name))) for name in ("root", "subuid")]
    projects[0].write_recipe(recipe)
    if projects[0].varve("fetch", "r.yaml", rc=None).rc != 0:
        pytest.skip("the host's Debian mirror cannot be reached")
    for project in projects:
        project.write_recipe(recipe)
        project.varve.write("r.lock.json", projects[0].varve.path("r.lock.json").read_bytes())
        project.build(timeout=600)
    assert projects[0].diff_ids() == projects[1].diff_ids()
    files = projects[0].image().files
    assert files["usr/bin/ping"].xattrs and files["usr/bin/ssh-agent"].mode == 0o2755 and files["usr/bin/at"].mode == 0o6755
    locked = json.loads(projects[0].varve.path("r.lock.json").read_text())["sources"][0]["artifacts"]
    root = mmdebstrap_tree(locked, projects[0].varve.store, tmp_path)
    told = table(differences(tree_of_image(projects[0].image()), tree_of_directory(root), {**ALLOWED, **APT}), "varve", "mmdebstrap")
    assert not told, told
