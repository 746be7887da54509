# SPDX-License-Identifier: Apache-2.0
"""git sources: what a ref becomes, what of a repository gets into an image, and what hostile ones cannot do."""
import hashlib
import io
import json
import re
import subprocess
import tarfile

import pytest
from conftest import need
from git_server import GitRepository, GitServer, git
from support import copy, own_project, project, project_of, run  # noqa: F401  fixtures

DATE = 1700000000
FILES = {"a.txt": "text\n", "bin/run": ("#!/bin/sh\necho ran\n", 0o755), "link": ("link", "bin/run"),
         "deep/er/x": "x", "docs/a.md": "doc", "deep/docs/b.md": "doc"}


@pytest.fixture(autouse=True)
def has_git():
    need("git")


@pytest.fixture
def repository(tmp_path):
    made = GitRepository(tmp_path / "srv/app")
    made.commit(FILES)
    return made


@pytest.fixture
def server(tmp_path):
    made = []

    def make(**options):
        made.append(GitServer(tmp_path / "srv", **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


def use(project, url, *, to="/app", **fields):
    project.recipe([copy("app", "app", to)], sources={"app": {"kind": "git", "url": url, **fields}})


def facts(project, file="r.lock.json"):
    [source] = [one for one in json.loads(project.varve.path(file).read_text())["sources"] if one["name"] == "app"]
    return source["facts"]


def files_of(project, top="app/"):
    """Below top: path -> (mode, content or target), of files and links."""
    image = project.image()
    return {name[len(top):]: (one.mode, one.link if one.kind == "l" else one.data)
            for name, one in image.files.items() if name.startswith(top) and one.kind != "d"}


def files_of_tar(data):
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if member.issym():
                found[member.name] = (0o777, member.linkname)
            elif member.isfile():
                found[member.name] = (member.mode | 0o044, archive.extractfile(member).read())
    return found


def lines(build):
    return [event["text"] for event in build.events if event["event"] == "locked"]


# --- what is exported ----------------------------------------------------------------------------

def test_the_files_are_those_of_git_archive(project, repository, server):
    repository.commit({".gitattributes": "secret export-ignore\nversion export-subst\n*.crlf text eol=crlf\n",
                       "secret": "s", "version": "$Format:%H %h %cd %an$\n", "x.crlf": "a\nb\n", "empty/.gitkeep": ""})
    use(project, server().url("app/.git"))
    project.build()
    assert files_of(project) == files_of_tar(repository.archive("HEAD"))
    assert b"$Format" not in files_of(project)["version"][1] and "secret" not in files_of(project)
    assert project.image().files["app/a.txt"].mtime == DATE


def test_nothing_of_the_repository_or_of_the_builder_is_in_the_image(own_project, repository, server):
    use(own_project, server().url("app/.git"))
    own_project.build(env={"GIT_AUTHOR_NAME": "Builder", "GIT_COMMITTER_EMAIL": "builder@example.net"})
    names = own_project.image().files
    assert not [name for name in names if ".git" in name]
    blobs = b"".join(layer.read_bytes() for layer in own_project.varve.store.glob("blobs/sha256/*"))
    assert b"Builder" not in blobs and b"builder@" not in blobs


def test_commit_tree_and_date_are_facts(own_project, repository, server):
    commit = repository.git("rev-parse", "HEAD")
    own_project.recipe([copy("app", "app", "/app"), run("c", "echo ${app.commit:.12} >/c")],
                       sources={"app": {"kind": "git", "url": server().url("app/.git"), "ref": "main"}},
                       images={"main": {"stage": "main", "name": "t/main:${app.commit:.12}"}})
    build = own_project.build()
    assert facts(own_project) == {"commit": commit, "tree": repository.git("rev-parse", "HEAD^{tree}"), "date": DATE,
                                  "ref": "refs/heads/main"}
    image = own_project.image(f"t/main:{commit[:12]}")
    assert list(build.digests) == [f"t/main:{commit[:12]}"]
    assert image.config["created"] == "2023-11-14T22:13:20Z" and image.files["c"].data.decode() == commit[:12] + "\n"


def test_two_machines_make_the_same_image(project_of, repository, server):
    url, digests = server().url("app/.git"), []
    for account in ("root", "subuid"):
        project = project_of(account)
        use(project, url)
        digests.append(project.build().digests)
    assert digests[0] == digests[1]


def test_paths_are_left_out(own_project, repository, server):
    use(own_project, server().url("app/.git"), exclude=["docs", "bin/*"])
    own_project.build()
    assert set(files_of(own_project)) == {"a.txt", "link", "deep/er/x"}
    use(own_project, server().url("app/.git"), exclude=["deep/docs", "*.txt"])
    own_project.build()
    assert set(files_of(own_project)) == {"bin/run", "link", "deep/er/x", "docs/a.md"}


def test_a_subdirectory_alone(own_project, repository, server):
    repository.commit({".gitattributes": "deep/docs export-ignore\n"})
    use(own_project, server().url("app/.git"), subdirectory="deep")
    own_project.build()
    assert set(files_of(own_project)) == {"er/x"}
    use(own_project, server().url("app/.git"), subdirectory="deep", exclude=["er/x"])
    own_project.build(rc=None)
    use(own_project, server().url("app/.git"), subdirectory="deeper")
    assert "is absent" in own_project.build(rc=2).text


def test_a_step_sees_the_tree_read_only(project, repository, server):
    project.recipe([run("see", "cat /src/a.txt >/seen; ! touch /src/x", mounts={"/src": "app"})],
                   sources={"app": {"kind": "git", "url": server().url("app/.git")}})
    project.build()
    assert project.image().files["seen"].data == b"text\n"


# --- refs ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("protocol", [True, False], ids=["v2", "v0"])
def test_every_kind_of_ref(own_project, repository, server, protocol):
    old = repository.git("rev-parse", "HEAD")
    repository.git("tag", "-a", "v1", "-m", "t")
    repository.git("tag", "light")
    middle = repository.commit({"a.txt": "middle"})
    new = repository.commit({"a.txt": "new"})
    repository.git("branch", "feature/x", middle)
    url = server(protocol=protocol).url("app/.git")
    wanted = {"": (new, "refs/heads/main"), "main": (new, "refs/heads/main"), "v1": (old, "refs/tags/v1"),
              "light": (old, "refs/tags/light"), "refs/tags/v1": (old, "refs/tags/v1"),
              "feature/x": (middle, "refs/heads/feature/x"), old: (old, ""), middle[:10]: (middle, ""), old[:8]: (old, "")}
    repository.git("branch", "-D", "feature/x") if not protocol else None
    for ref, (commit, name) in wanted.items():
        if ref == "feature/x" and not protocol:
            continue
        use(own_project, url, ref=ref) if ref else use(own_project, url)
        own_project.varve("lock", "r.yaml")
        assert (facts(own_project)["commit"], facts(own_project)["ref"]) == (commit, name), ref


def test_only_one_commit_is_fetched(own_project, repository, server, tmp_path):
    for number in range(5):
        repository.commit({"big": "x" * 1000 * number + str(number)})
    use(own_project, server().url("app/.git"))
    own_project.varve("lock", "r.yaml", env={"GIT_TRACE_PACKET": tmp_path / "trace"})
    trace = (tmp_path / "trace").read_text() if (tmp_path / "trace").exists() else ""
    assert "deepen 1" in trace
    assert set(re.findall("want ([0-9a-f]{40})", trace)) == {repository.git("rev-parse", "HEAD")}


def test_a_branch_and_a_tag_of_one_name(own_project, repository, server):
    repository.git("tag", "main")
    use(own_project, server().url("app/.git"), ref="main")
    own_project.build()  # the same commit: no doubt
    repository.commit({"a.txt": "2"})
    own_project.varve.path("r.lock.json").unlink()
    text = own_project.build(rc=2).text
    assert "a branch and a tag" in text and "refs/tags/main" in text


def test_what_is_not_there_is_named(own_project, repository, server):
    use(own_project, server().url("app/.git"), ref="mian")
    text = own_project.build(rc=2).text
    assert 'no branch, tag or commit "mian"' in text and 'did you mean "main"?' in text
    use(own_project, server().url("app/.git"), ref="0123456789abcdef0123456789abcdef01234567")
    assert "0123456789abcdef0123456789abcdef01234567" in own_project.build(rc=None).text
    use(own_project, server().url("nothing/.git"))
    own_project.build(rc=4)
    assert not own_project.varve.path("r.lock.json").exists()


def test_track_follows_the_branch(own_project, repository, server):
    first = repository.git("rev-parse", "HEAD")
    use(own_project, server().url("app/.git"), ref="main", track=True)
    assert f"app: main -> {first}" in lines(own_project.build())
    again = own_project.build()
    assert again.ran == [] and lines(again) == [f"app: main -> {first}"]
    second = repository.commit({"a.txt": "2"})
    locked = own_project.build("--locked")
    assert locked.ran == [] and facts(own_project)["commit"] == first
    assert own_project.build("--offline").ran == []
    moved = own_project.build()
    assert moved.ran == ["main/app"] and f"app: main -> {second}" in lines(moved)
    assert files_of(own_project)["a.txt"][1] == b"2"


def test_without_track_the_lock_decides(own_project, repository, server):
    first = repository.git("rev-parse", "HEAD")
    one = server()
    use(own_project, one.url("app/.git"), ref="main")
    own_project.build()
    repository.commit({"a.txt": "2"})
    before = len(one.requests)
    assert own_project.build().ran == [] and len(one.requests) == before
    assert facts(own_project)["commit"] == first
    own_project.varve("lock", "r.yaml", "--upgrade", "app")
    assert facts(own_project)["commit"] != first


# --- another machine, later ----------------------------------------------------------------------

def forget(project):
    subprocess.run(["rm", "-rf", project.varve.store], check=True)


@pytest.mark.parametrize("protocol", [True, False], ids=["v2", "v0"])
def test_the_locked_commit_is_fetched_where_the_branch_moved_on(own_project, repository, server, protocol):
    use(own_project, server(protocol=protocol).url("app/.git"), ref="main")
    digests = own_project.build().digests
    repository.commit({"a.txt": "2"})
    forget(own_project)
    assert own_project.build("--locked").digests == digests


def test_a_commit_that_vanished(own_project, repository, server):
    use(own_project, server().url("app/.git"), ref="main")
    own_project.varve("lock", "r.yaml")
    commit = facts(own_project)["commit"]
    forget(own_project)
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.commit({"a.txt": "2"})
    repository.git("branch", "-D", "main")
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "--quiet", "--prune=now")
    text = own_project.build(rc=2).text
    assert commit in text and "varve lock --upgrade" in text


def test_a_lock_edited_by_hand(own_project, repository, server):
    use(own_project, server().url("app/.git"), ref="main")
    own_project.varve("lock", "r.yaml")
    path = own_project.varve.path("r.lock.json")
    lock = json.loads(path.read_text())
    wrong = hashlib.sha256(b"other").hexdigest()
    lock["sources"][0]["artifacts"][0]["sha256"] = wrong
    own_project.varve.write("r.lock.json", json.dumps(lock))
    text = own_project.build(rc=1).text
    assert wrong in text and "the lock says" in text


def test_offline_names_what_is_missing(own_project, repository, server):
    one = server()
    use(own_project, one.url("app/.git"))
    assert "--offline forbids" in own_project.build("--offline", rc=2).text
    own_project.varve("lock", "r.yaml")
    forget(own_project)
    before = len(one.requests)
    assert "--offline forbids to fetch it" in own_project.build("--offline", rc=2).text
    assert len(one.requests) == before


def test_a_missing_object_is_named_by_path_and_commit(own_project, repository, server):
    repository.git("config", "uploadpack.allowFilter", "true")
    commit = repository.commit({"deep/lost": "lost\n"})
    blob = repository.git("rev-parse", "HEAD:deep/lost")
    (repository.directory / ".git/objects" / blob[:2] / blob[2:]).unlink()
    use(own_project, server().url("app/.git"))
    text = own_project.build(rc=4).text
    assert "deep/lost" in text and commit in text and blob in text


# --- submodules ----------------------------------------------------------------------------------

def add_submodule(outer, path, url, inner):
    """As `git submodule add` leaves it, whatever the URL."""
    commit = inner.git("rev-parse", "HEAD")
    outer.write({".gitmodules": f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n'})
    outer.git("add", ".gitmodules")
    outer.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    outer.git("commit", "--quiet", "-m", "submodule")
    return commit


def test_submodules_on_request(project, repository, server, tmp_path):
    leaf = GitRepository(tmp_path / "srv/leaf")
    leaf.commit({"leaf": "leaf\n", "docs/c.md": "c"})
    inner = GitRepository(tmp_path / "srv/inner")
    inner.commit({"inner": "inner\n"})
    add_submodule(inner, "sub/leaf", "../../leaf/.git", leaf)
    commit = add_submodule(repository, "lib/inner", "../../inner/.git", inner)
    url = server().url("app/.git")
    use(project, url)
    project.build()
    assert "lib/inner/inner" not in files_of(project) and "submodules" not in facts(project)
    use(project, url, submodules=True, exclude=["docs"])
    project.build()
    found = files_of(project)
    assert found["lib/inner/inner"][1] == b"inner\n" and found["lib/inner/sub/leaf/leaf"][1] == b"leaf\n"
    assert "lib/inner/sub/leaf/docs/c.md" not in found
    assert facts(project)["submodules"] == {"lib/inner": commit, "lib/inner/sub/leaf": leaf.git("rev-parse", "HEAD")}
    forget_and_build = project.build().digests
    subprocess.run(["rm", "-rf", project.varve.store], check=True)
    assert project.build("--locked").digests == forget_and_build
    use(project, url, submodules=True, subdirectory="lib/inner")
    assert "is a submodule" in project.build(rc=2).text


@pytest.mark.parametrize("url", ["-uexec", "ext::sh -c 'touch /tmp/varve-owned'", "/etc", "file:///etc", "../../../../../../x",
                                 "ssh://-oProxyCommand=x/y"])
def test_a_submodule_that_must_not_be_fetched(own_project, repository, server, url):
    inner = GitRepository(own_project.varve.path("inner"))
    inner.commit({"i": "i"})
    add_submodule(repository, "lib", url, inner)
    use(own_project, server().url("app/.git"), submodules=True)
    assert "submodule" in own_project.build(rc=None).text
    own_project.build(rc=2) if url != "../../../../../../x" else own_project.build(rc=None)
    assert not own_project.varve.path("r.lock.json").exists()


# --- hostile repositories and URLs ---------------------------------------------------------------

@pytest.mark.parametrize("url", ["--upload-pack=touch owned", "-x", "ext::sh -c touch% owned", "fd::3", "https://u:secret@h/x",
                                 "ssh://-oProxyCommand=touch/x", "-oProxyCommand=x:y", "host:-x", "a b", "ftp://h/x", "x"])
def test_urls_that_are_refused(own_project, url):
    use(own_project, url)
    assert "cannot be the URL of a repository" in own_project.build(rc=2).text
    own_project.recipe([copy("app", "app", "/app")], sources={"app": {"kind": "git", "url": "${repo}"}},
                       options={"repo": {"required": True}})
    assert "cannot be the url of a source" in own_project.build("--set", f"repo={url}", rc=2).text
    assert not own_project.varve.path("owned").exists()


@pytest.mark.parametrize("ref", ["--upload-pack=x", "-x", "a..b", "a b", "x^{tree}", "a:b", "@{1}", "*", "x~1"])
def test_refs_that_are_refused(own_project, ref):
    use(own_project, "https://git.example.org/x", ref=ref)
    assert "cannot be a ref" in own_project.build(rc=2).text


def test_a_subdirectory_that_is_a_link(own_project, repository, server):
    repository.commit({"out": ("link", "/etc"), "in": ("link", "deep")})
    for name in ("out", "in"):
        use(own_project, server().url("app/.git"), subdirectory=name)
        assert "is a symbolic link" in own_project.build(rc=2).text
    use(own_project, server().url("app/.git"), subdirectory="in/er")
    assert "is absent" in own_project.build(rc=2).text
    use(own_project, server().url("app/.git"), subdirectory="../x")
    own_project.build(rc=2)


def raw_tree(repository, *entries):
    """A commit of a tree that git itself would not make; entries: (mode, name, object)."""
    data = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(hex_) for mode, name, hex_ in entries)
    where = repository.directory
    done = subprocess.run(["git", "-C", where, "hash-object", "-t", "tree", "-w", "--stdin", "--literally"], input=data,
                          capture_output=True, check=True)
    commit = repository.git("commit-tree", done.stdout.decode().strip(), "-m", "x")
    repository.git("update-ref", "refs/heads/main", commit)


@pytest.mark.parametrize("name", ["..", ".git", "a/b", "."])
def test_trees_with_names_that_leave_them(own_project, repository, server, name):
    blob = repository.git("hash-object", "-w", "--stdin", stdin="x")
    tree = repository.git("rev-parse", "HEAD:bin")
    raw_tree(repository, ("100644" if name == "a/b" else "40000", name, blob if name == "a/b" else tree))
    use(own_project, server().url("app/.git"))
    own_project.build(rc=4)
    assert not own_project.varve.path("r.lock.json").exists()


def test_nothing_of_the_users_configuration_runs(own_project, repository, server):
    hooks = own_project.varve.path("hooks")
    marker = own_project.varve.path("ran")
    for hook in ("reference-transaction", "post-checkout", "post-merge", "fsmonitor"):
        own_project.varve.write(f"hooks/{hook}", f"#!/bin/sh\necho $0 >>{marker}\n", mode=0o755)
    own_project.varve.write("gitconfig", f"""[core]
\thooksPath = {hooks}
\tfsmonitor = {hooks}/fsmonitor
\tattributesFile = {own_project.varve.path("attributes")}
[filter "evil"]
\tsmudge = touch {marker}; cat
[tar "tar"]
\tcommand = touch {marker}; cat
""")
    own_project.varve.write("attributes", "a.txt export-ignore\n")
    repository.commit({".gitattributes": "* filter=evil\n"})
    use(own_project, server().url("app/.git"))
    own_project.build(env={"GIT_CONFIG_GLOBAL": own_project.varve.path("gitconfig"), "GIT_DIR": "/nonexistent",
                           "GIT_EXTERNAL_DIFF": f"touch {marker}"})
    assert not marker.exists() and "a.txt" in files_of(own_project)


# --- credentials ---------------------------------------------------------------------------------

def test_the_users_credential_helper_is_asked(own_project, repository, server):
    one = server(password="user:s3cret-of-git")
    use(own_project, one.url("app/.git"))
    refused = own_project.build(rc=4)
    assert "credential helper" in refused.text
    own_project.varve.write("gitconfig", '[credential]\n\thelper = "!echo username=user; echo password=s3cret-of-git; :"\n')
    own_project.build(env={"GIT_CONFIG_GLOBAL": own_project.varve.path("gitconfig")})
    assert "a.txt" in files_of(own_project)
    for path in own_project.varve.directory.rglob("*"):
        if path.is_file() and path.name != "gitconfig" and not path.is_symlink():
            assert b"s3cret-of-git" not in path.read_bytes(), path


def test_ssh_is_the_users_own(own_project, repository):
    """A stand-in for ssh runs what it is told to run there; it needs the agent's socket."""
    own_project.varve.write("ssh", """#!/bin/sh
echo "$SSH_AUTH_SOCK $@" >>%s
while [ "${1#-}" != "$1" ]; do shift; [ "${1#-}" = "$1" ] && case $1 in *=*) shift;; esac; done
shift
eval "exec $*"
""" % own_project.varve.path("ssh.log"), mode=0o755)
    top = own_project.varve.path("srv")
    git(repository.directory.parent, "clone", "--quiet", "--bare", "app", top / "app.git")
    own_project.account.own(top)
    use(own_project, f"git@git.example.org:{top}/app.git")
    own_project.build(env={"GIT_SSH_COMMAND": own_project.varve.path("ssh"), "SSH_AUTH_SOCK": "/the/agent"})
    assert "a.txt" in files_of(own_project)
    log = own_project.varve.path("ssh.log").read_text()
    assert "/the/agent" in log and "git@git.example.org" in log and "git-upload-pack" in log


def test_nobody_is_asked_for_a_password(own_project, repository, server):
    use(own_project, server(password="a:b").url("app/.git"))
    own_project.build(rc=4, timeout=30)


# --- what is local -------------------------------------------------------------------------------

def test_a_repository_of_this_machine(own_project, repository):
    top = own_project.varve.path("srv")
    git(repository.directory.parent, "clone", "--quiet", "app", top / "app")
    own_project.account.own(top)
    for url in ("./srv/app", f"file://{top}/app", f"{top}/app"):
        use(own_project, url)
        own_project.build()
        assert files_of(own_project)["a.txt"] == (0o644, b"text\n")


def test_sha256_repositories(own_project, tmp_path, server):
    made = GitRepository(tmp_path / "srv/new", object_format="sha256")
    commit = made.commit({"a": "a"})
    use(own_project, server().url("new/.git"))
    own_project.build()
    assert len(commit) == 64 and facts(own_project)["commit"] == commit
    assert files_of(own_project) == {"a": (0o644, b"a")}
