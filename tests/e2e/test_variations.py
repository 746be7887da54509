# SPDX-License-Identifier: Apache-2.0
"""One digest whoever builds, where, when, in which locale, on how many cores, and in which order files were made."""
import json
import pathlib
import shutil

import pytest
import variations
from conftest import TOP
from support import copy, own_project, project_of, run  # noqa: F401  fixtures
from test_app import archive, PROGRAM  # noqa: F401  fixture
from git_server import GitRepository, GitServer

STEPS = [
    run("files", "mkdir -p /d/e && for i in 9 3 7 1 5; do echo $i >/d/f$i; done; ln /d/f1 /d/hard; ln -s f3 /d/soft; "
                 "chown 5:6 /d/f3; chmod 4755 /d/f5; chmod 700 /d/e"),
    run("lists", "cd /srv/app && find . -type f | sort | xargs cat >/all; ls >/names; date -u +%Y -d @$SOURCE_DATE_EPOCH >/year"),
    run("see", "umask >/umask; env | sort >/env; id >/id; pwd >/pwd; date +%Z >/zone"),
]
CORNERS = [
    {},
    {"account": "subuid", "umask": "077", "zone": "Pacific/Kiritimati", "directory": "a longer place, with spaces"},
    {"account": "one", "locale": "tr_TR.UTF-8", "cores": 1, "order": "shuffled", "day": "+400d"},
    {"account": "root", "umask": "077", "day": "+400d", "cores": 1},
]


@pytest.fixture
def files(own_project):  # noqa: F811
    """A directory with a small recipe and all that it names."""
    own_project.tree("app", {f"{name}/{number}": f"{name}{number}\n" for name in "cab" for number in range(4)})
    own_project.recipe([copy("app", "app", "/srv/app"), *STEPS], sources={"app": {"kind": "local", "path": "app"}})
    where = own_project.varve.directory / "files"
    where.mkdir()
    for name in ("r.yaml", "app", "root"):
        shutil.move(own_project.varve.path(name), where)
    return where


def digests(as_user, rows, files, recipe, **options):
    found = {}
    for row in rows:
        varve = as_user(row["account"])
        found.setdefault(variations.build(varve, row, files, recipe, **options), []).append(row)
        varve.account.close()
    return found


def full(corner):
    return {**{name: values[0] for name, values in variations.AXES.items()}, **corner}


def test_a_few_corners(as_user, files):
    found = digests(as_user, [full(corner) for corner in CORNERS], files, "r.yaml")
    assert len(found) == 1, found


def test_the_rows_cover_what_they_say():
    rows = variations.rows(2)
    assert rows == variations.rows(2) and len(rows) < 16
    for one, values in variations.AXES.items():
        for other, others in variations.AXES.items():
            if one < other:
                assert {(row[one], row[other]) for row in rows} == {(a, b) for a in values for b in others}


def test_a_difference_is_seen(as_user, files):
    """What the matrix is for: a step that looks at the order of a directory."""
    document = json.loads((files / "r.yaml").read_text())
    document["stages"]["main"]["steps"].append(run("bad", "nproc >/cores"))
    (files / "r.yaml").write_text(json.dumps(document))
    found = digests(as_user, [full({}), full({"cores": 1})], files, "r.yaml")
    assert len(found) == 2


@pytest.mark.slow
def test_every_three_together(as_user, files):
    rows = variations.rows(3)
    found = digests(as_user, rows, files, "r.yaml")
    print(f"\n{len(rows)} builds, {len(found)} digest; disorderfs: {variations.can_disorder()}")
    assert len(found) == 1, {digest: rows[:3] for digest, rows in found.items()}


# --- the recipes that come with varve --------------------------------------------------------------

def bundle_of(project, recipe, *arguments):  # noqa: F811
    """What the recipe needs, for all accounts to read; skips where nothing can be locked."""
    probe = project.varve("lock", recipe, *arguments, rc=None, timeout=900)
    if probe.rc in (3, 4):
        pytest.skip(f"no registry: {probe.stderr.strip().splitlines()[-1]}")
    assert probe.rc == 0, probe
    project.varve("bundle", "create", recipe, *arguments, "-o", "oci-archive:b.tar", timeout=1800)
    bundle = project.varve.path("b.tar")
    bundle.chmod(0o644)
    return bundle


def unpacked(project, bundle):  # noqa: F811
    project.varve("bundle", "import", bundle, "unpacked", "--store", project.varve.path("other"), timeout=900)
    return project.varve.path("unpacked")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hello", "web"])
def test_shipped_recipes(own_project, as_user, name):  # noqa: F811
    shutil.copy(TOP / f"recipes/{name}.yaml", own_project.varve.directory)
    shutil.copytree(TOP / f"recipes/{name}", own_project.varve.directory / name)
    bundle = bundle_of(own_project, f"{name}.yaml")
    check(as_user, own_project, bundle, f"{name}.yaml")


@pytest.mark.slow
def test_the_application(own_project, as_user, archive, tmp_path):  # noqa: F811
    repository = GitRepository(tmp_path / "srv/app")
    repository.commit({"main.py": PROGRAM, "tests/x.py": "x", "docs/y.md": "y"})
    server = GitServer(tmp_path / "srv")
    recipe = (TOP / "recipes/app.yaml").read_text()
    own_project.varve.write("archive.gpg", archive.keyring.read_bytes())
    own_project.write_recipe(recipe.replace("suite: bookworm,", "suite: bookworm, keyring: archive.gpg,"), "app.yaml")
    url = server.url("app/.git")
    bundle = bundle_of(own_project, "app.yaml", "--repository", url, "--mirror", f"debian=file://{archive.path}")
    server.close()
    check(as_user, own_project, bundle, "app.yaml", "--repository", url)


def check(as_user, project, bundle, recipe, *arguments):  # noqa: F811
    files = unpacked(project, bundle)
    built = project.varve("build", files / recipe, "--offline", "--progress", "plain", *arguments, timeout=1800)
    image = built.stdout.split()[0]
    audit = project.varve("audit", image, "--twice", "--progress", "plain", timeout=3600)
    assert audit.stdout.endswith("\nequal\n") and audit.stdout.count(image) == 3
    rows = variations.rows(2)
    found = digests(as_user, rows, files, recipe, bundle=bundle, arguments=arguments)
    print(f"\n{recipe}: {len(rows)} builds, {len(found)} digest: {', '.join(found)}; disorderfs: {variations.can_disorder()}")
    assert set(found) == {image}, found
