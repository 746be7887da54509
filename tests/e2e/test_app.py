# SPDX-License-Identifier: Apache-2.0
"""The shipped recipe of an application from git, with a repository on loopback and Debian from this host's own packages."""
import pathlib
import shutil
import tempfile

import debs
import debs_of_host
import pytest
from conftest import TOP, need
from git_server import GitRepository, GitServer
from support import own_project  # noqa: F401  fixtures

PROGRAM = "import pathlib\nprint('serving', pathlib.Path('VERSION').read_text().strip())\n"


@pytest.fixture
def archive(signing_key):
    try:
        packages = debs_of_host.host_packages(["python3", "passwd", "usr-is-merged"])
    except debs.Missing as reason:
        pytest.skip(str(reason))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="varve-repo-"))
    directory.chmod(0o755)
    yield debs.make_repo(directory, [{**package, "compression": "none"} for package in packages], signing_key)
    shutil.rmtree(directory)


def test_the_recipe_of_an_application(own_project, archive, tmp_path):  # noqa: F811
    need("git")
    repository = GitRepository(tmp_path / "srv/app")
    first = repository.commit({"main.py": PROGRAM, "tests/x.py": "x", "docs/y.md": "y"})
    server = GitServer(tmp_path / "srv")
    recipe = (TOP / "recipes/app.yaml").read_text()
    own_project.varve.write("archive.gpg", archive.keyring.read_bytes())
    own_project.write_recipe(recipe.replace("suite: bookworm,", "suite: bookworm, keyring: archive.gpg,"), "app.yaml")
    options = ["--repository", server.url("app/.git"), "--mirror", f"debian=file://{archive.path}"]
    built = own_project.build(*options, file="app.yaml", timeout=600)
    name = f"varve-demo/app:{first[:12]}"
    assert list(built.digests) == [name] and f"code: main -> {first}" in [e.get("text") for e in built.events]
    assert own_project.varve("run", name, timeout=120).stdout == f"serving {first}\n"
    own_project.varve("validate", name, timeout=120)
    second = repository.commit({"main.py": PROGRAM + "# more\n"})
    again = own_project.build(*options, file="app.yaml")
    assert list(again.digests) == [f"varve-demo/app:{second[:12]}"] and again.ran == ["runtime/code", "runtime/version"]
    own_project.varve("bundle", "create", "app.yaml", *options, "-o", "oci-archive:app.tar", "--check", timeout=900)
    server.close()
