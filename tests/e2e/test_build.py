# SPDX-License-Identifier: Apache-2.0
"""A recipe becomes an image: what a step gets, what it leaves, what the image says."""
import hashlib
import json
import re

import pytest
from oci_schema import check_layout
from support import NAME, ROOT, copy, own_project, project, run  # noqa: F401  fixtures

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0",
               "SOURCE_DATE_EPOCH": "315532800"}


def test_a_recipe_becomes_an_image(project):
    project.recipe([run("hello", "echo hello >/hello")])
    build = project.build()
    assert build.ran == ["main/hello", "main/root"]
    image = project.image()
    assert build.digests == {NAME: image.descriptor["digest"]}
    assert image.files["hello"].data == b"hello\n"
    assert project.inside("cat /hello").stdout == "hello\n"


def test_the_store_is_a_valid_layout(project):
    project.recipe([run("hello", "echo hello >/hello"), run("nothing", "true"), run("rm", "rm /hello")])
    project.build()
    check_layout(project.varve.store)


# --- config and history --------------------------------------------------------------------------

CONFIG = {"command": ["serve", ""], "entrypoint": ["/bin/env"], "environment": {"A": "b c", "PATH": "/x:${env.PATH}"},
          "workdir": "/srv", "user": "1000:50", "ports": ["80", "53/udp"], "volumes": ["/data"],
          "stop-signal": "SIGINT", "labels": {"org.example.x": "y"}}


def test_the_config_says_what_the_recipe_says(own_project):
    own_project.recipe([run("a", "echo a >/a")], config=CONFIG)
    own_project.build()
    config = own_project.image().config["config"]
    labels = config.pop("Labels")
    assert config == {"Cmd": ["serve", ""], "Entrypoint": ["/bin/env"], "Env": ["A=b c", "PATH=/x:" + ENVIRONMENT["PATH"]],
                      "WorkingDir": "/srv", "User": "1000:50", "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
                      "Volumes": {"/data": {}}, "StopSignal": "SIGINT"}
    assert labels["org.example.x"] == "y" and labels["dev.varve.recipe"] == "t"
    assert re.fullmatch("sha256:[0-9a-f]{64}", labels["dev.varve.recipe.digest"])
    assert re.fullmatch("sha256:[0-9a-f]{64}", labels["dev.varve.lock.digest"])


def test_history_has_one_entry_per_step(own_project):
    own_project.recipe([run("a", "echo a >/a\ntrue\n"), run("nothing", "true"), copy("etc", "root", "/opt")])
    own_project.build()
    config = own_project.image().config
    history = config["history"]
    assert [one["created_by"] for one in history] == ["copy root to /", "run echo a >/a ...", "run true",
                                                     "copy root to /opt"]
    assert [one.get("empty_layer", False) for one in history] == [False, False, True, False]
    keys = [step["key"] for step in own_project.plan().values()]
    assert [one["comment"] for one in history] == [f"varve key {key}" for key in keys]
    assert len(config["rootfs"]["diff_ids"]) == len(own_project.image().manifest["layers"]) == 3
    assert config["created"] == "1980-01-01T00:00:00Z"


def test_the_date_may_be_set_by_the_environment(own_project):
    own_project.recipe([run("a", "date -u +%s -d @$SOURCE_DATE_EPOCH >/a")])
    own_project.build(env={"SOURCE_DATE_EPOCH": "1700000000"})
    image = own_project.image()
    assert image.config["created"] == "2023-11-14T22:13:20Z"
    assert image.files["a"].data == b"1700000000\n" and image.files["a"].mtime == 1700000000


# --- what a step gets ----------------------------------------------------------------------------

def test_the_environment_is_given_exactly(project):
    project.recipe([run("env", ["env"], environment={"MINE": "a=b $HOME"})])
    build = project.build(env={"LEAK": "1", "LC_ALL": "C", "TZ": "Asia/Tokyo"})
    lines = dict(line.split("=", 1) for line in build.output)
    assert lines.pop("PWD", "/") == "/"  # bubblewrap sets it
    assert lines == {**ENVIRONMENT, "MINE": "a=b $HOME"}


def test_a_step_is_root_in_a_bare_place(project):
    project.recipe([run("look", "id -u; id -g; umask; hostname; pwd; stat -c %a /tmp; echo $$; ls /proc/self/fd | wc -l; "
                        "readlink /proc/self/fd/0; ls -A /run /tmp; ! tty")])
    assert project.build().output == ["0", "0", "0022", "build", "/", "1777", "2", "4", "/dev/null", "/run:", "", "/tmp:",
                                      "not a tty"]


def test_there_is_no_network(project):
    project.recipe([run("net", "cut -d: -f1 -s /proc/net/dev | tr -d ' '")])
    assert project.build().output == ["lo"]


def test_the_hosts_network_is_asked_for_and_noted(own_project):
    own_project.recipe([run("net", "cut -d: -f1 -s /proc/net/dev | tr -d ' '", network="host")])
    with open("/proc/net/dev") as file:
        host = [line.split(":")[0].strip() for line in file if ":" in line]
    assert own_project.build().output == host
    assert "not hermetic" in own_project.varve("plan", "r.yaml").stdout
    assert own_project.varve("plan", "r.yaml", "--json").json()["hermetic"] is False


def test_the_working_directory(own_project):
    own_project.recipe([run("make", "mkdir -p /srv/x"), run("in", "pwd; touch here", workdir="/srv/./x/")])
    assert own_project.build().output == ["/srv/x"]
    assert "srv/x/here" in own_project.layer()


def test_a_user_by_name_and_by_number(project):
    project.busybox()
    project.add_setpriv()
    where = run("where", "mkdir -m 777 /w")
    steps = [where, run("name", "id; touch /w/a", user="app"), run("number", "id -u; id -g; id -G; touch /w/b", user="7:8")]
    project.recipe(steps)
    output = project.build("-j1").output
    assert output[0].startswith("uid=1000(app) gid=1000(app)") and "50(staff)" in output[0]
    assert output[1:4] == ["7", "8", "8"]
    files = project.image().files
    assert (files["w/a"].uid, files["w/a"].gid, files["w/b"].uid, files["w/b"].gid) == (1000, 1000, 7, 8)


def test_a_user_that_the_image_lacks(own_project):
    own_project.recipe([run("name", "id", user="nobody")])
    build = own_project.build(rc=1)
    assert 'step main/name: user "nobody" is not in the image\'s /etc/passwd' in build.text


def test_mounts_of_sources_and_stages_are_read_only(project):
    project.tree("app", {"a": "source\n", "deep/b": "b"})
    project.tree("one", {"file": "one file\n"})
    tools = {"tools": {"steps": [ROOT, run("tool", "mkdir -p /opt/d; echo tool >/opt/d/t")]}}
    step = run("look", "cat /src/a /src/deep/b /t/d/t /one/file; ! touch /src/new && ! touch /t/new && ! rm /src/a; mkdir /z",
               mounts={"/src": "app", "/t": "tools:/opt", "/one": "single"})
    sources = {"app": {"kind": "local", "path": "app"}, "single": {"kind": "local", "path": "one/file"}}
    project.recipe([step], stages=tools, sources=sources)
    assert project.build().output[:3] == ["source", "btool", "one file"]
    assert sorted(project.layer()) == ["z"]  # no mount point stays


def test_caches_are_kept_and_stay_out_of_the_layer(project):
    def step(number):
        return run("count", f"echo {number} >>/var/cache/x/log; cat /var/cache/x/log", caches={"/var/cache/x": "log"})
    project.recipe([step(1)])
    project.build()
    project.recipe([step(2), run("gone", "ls /var/cache/x | wc -l >/n")])
    assert project.build().output[:2] == ["1", "2"]
    assert project.image().files["n"].data == b"0\n"
    assert not [name for name in project.image().files if name.endswith("log")]


def stored_bytes(project):
    """Everything in the store, layers also as tar."""
    image = project.image()
    for path in project.varve.store.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()
    for number, layer in enumerate(image.layers):
        yield f"layer {number}", b"\0".join(name.encode() + b"\0" + (file.data or b"") for name, file in layer.items())


def test_a_secret_leaves_no_trace(project):
    secret = "s3cr3t-" + hashlib.sha256(str(project.varve.directory).encode()).hexdigest()
    project.varve.write("token.txt", secret, mode=0o600)
    project.recipe([run("use", "sha256sum </run/secrets/token | cut -c1-64 >/proof; ls -A /run/secrets", secrets=["token"]),
                    run("later", "ls -A /run")])
    build = project.build("--secret", "token=token.txt")
    assert build.output == ["token"]
    assert project.image().files["proof"].data.decode().strip() == hashlib.sha256(secret.encode()).hexdigest()
    assert [path for path, data in stored_bytes(project) if secret.encode() in data] == []
    project.varve.write("token.txt", "another", mode=0o600)
    assert project.build("--secret", "token=token.txt").ran == []  # no part of the key


def test_a_secret_must_be_given(own_project):
    own_project.recipe([run("use", "true", secrets=["token"])])
    build = own_project.build(rc=2)
    assert 'needs the secret "token"' in build.text and "--secret token=FILE" in build.text


def test_jobs_are_no_part_of_the_key(own_project):
    step = run("make", "echo $VARVE_JOBS $MAKEFLAGS $FLAGS", jobs="${n}", unkeyed_environment={"FLAGS": "-x${n}"})
    own_project.recipe([step], options={"n": {"type": "integer", "default": 3, "keyed": False, "help": "jobs"}})
    assert own_project.build().output == ["3 -j3 -x3"]
    assert own_project.build("--n", "5").ran == []


def test_a_shell_of_the_recipe(own_project):
    own_project.recipe([run("awk", 'BEGIN { print "from awk" }', shell=["/bin/awk"])])
    assert own_project.build().output == ["from awk"]


# --- what a step leaves --------------------------------------------------------------------------

def test_ownership_is_set_as_written(project):
    entries = [{"path": "/srv/**", "uid": 1000, "gid": "50"}, {"path": "/srv/tool", "mode": "04750"},
               {"path": "/link", "uid": 3}]
    project.recipe([run("make", "mkdir -p /srv/d; touch /srv/d/f /srv/tool /other; ln -s f /link", ownership=entries)])
    project.build()
    files = project.layer()
    owners = {name: (file.uid, file.gid) for name, file in files.items()}
    assert owners == {"link": (3, 0), "other": (0, 0), "srv": (1000, 50), "srv/d": (1000, 50), "srv/d/f": (1000, 50),
                      "srv/tool": (1000, 50)}
    assert files["srv/tool"].mode == 0o4750


def test_owners_of_a_step_are_kept(project):
    project.recipe([run("own", "touch /a /b; chown 12:34 /a; chown 65000:65000 /b; chmod 2755 /a; mkfifo /p; chown 5 /p; "
                        "ln -s x /l; chown -h 6:7 /l")])
    project.build()
    files = project.layer()
    assert {name: (file.kind, file.uid, file.gid) for name, file in files.items()} == {
        "a": ("f", 12, 34), "b": ("f", 65000, 65000), "p": ("p", 5, 0), "l": ("l", 6, 7)}
    assert files["a"].mode == 0o2755


def test_scrub_removes_what_it_names(project):
    project.recipe([run("make", "mkdir -p /a/b /var/log /c; touch /a/b/x.log /a/b/y /var/log/z /c/z /keep.log; "
                        "touch /.ninja_log /a/.ninja_log /a/b/.ninja_deps", scrub=["/a/b/*.log", "/var/log/z", "ninja", "/c/**"])])
    project.build()
    assert sorted(name for name, file in project.layer().items() if file.kind == "f") == ["a/b/y", "keep.log"]


def test_temporary_files_are_no_part_of_the_layer(project):
    project.recipe([run("make", "echo x >/tmp/x; echo y >/run/y; echo z >/dev/shm/z; touch /real"),
                    run("next", "ls -A /tmp /run")])
    assert project.build().output == ["/run:", "", "/tmp:"]
    assert sorted(project.image().layers[1]) == ["real"]


def test_times_are_clamped(own_project):
    own_project.recipe([run("make", "touch -d '1970-01-02 00:00:01' /old; touch /new; mkdir /d; touch -d '2099-01-01' /late")])
    own_project.build()
    assert {name: file.mtime for name, file in own_project.layer().items()} == {
        "old": 86401, "new": 315532800, "late": 315532800, "d": 315532800}


# --- copy ----------------------------------------------------------------------------------------

def test_copy_places_files_as_cp_would(project):
    project.tree("app", {"a": "a", "deep/b": ("b", 0o755), "x.o": "o", "link": ("link", "a")})
    project.tree("one", {"file": "f"})
    sources = {"app": {"kind": "local", "path": "app"}, "one": {"kind": "local", "path": "one/file"}}
    project.recipe([run("there", "mkdir -p /there /srv"), copy("into", "app", "/srv/app", exclude=["*.o"]),
                    copy("file", "one", "/opt/renamed"), copy("below", "one", "/there/"), copy("stage", "other:/etc/passwd", "/p"),
                    copy("tree", "other:/d", "/copied")],
                   sources=sources, stages={"other": {"steps": [ROOT, run("d", "mkdir /d; touch /d/x; chown 3:4 /d/x")]}})
    project.build()
    layers = project.image().layers
    assert sorted(layers[2]) == ["srv/app", "srv/app/a", "srv/app/deep", "srv/app/deep/b", "srv/app/link"]
    assert layers[2]["srv/app/deep/b"].mode == 0o755 and layers[2]["srv/app/a"].mode == 0o644
    assert layers[2]["srv/app/link"].link == "a"
    files = project.image().files
    assert files["opt/renamed"].data == b"f" and files["there/file"].data == b"f"
    assert files["p"].data.startswith(b"root:x:0:0") and (files["copied/x"].uid, files["copied/x"].gid) == (3, 4)


def test_copy_of_nothing_there(own_project):
    own_project.recipe([copy("none", "other:/no/such", "/x")], stages={"other": {"steps": [ROOT]}})
    assert 'stage "other" has no "/no/such"' in own_project.build(rc=1).text


# --- images and options --------------------------------------------------------------------------

IMAGES = {"one": {"stage": "main", "name": "t/one:1"}, "two": {"stage": "two", "name": "t/two:${tag}"}}
TWO = {"two": {"from": "main", "steps": [run("two", "echo ${greeting} >/two")]}}
OPTIONS = {"greeting": {"default": "hi", "help": "what it says"}, "tag": {"choices": ["a", "b"], "default": "a"}}


def test_several_images_and_a_choice_of_them(own_project):
    own_project.recipe([run("one", "touch /one")], images=IMAGES, stages=TWO, options=OPTIONS)
    build = own_project.build("-i", "one")
    assert build.ran == ["main/one", "main/root"] and list(build.digests) == ["t/one:1"]
    build = own_project.build()
    assert build.ran == ["two/two"] and list(build.digests) == ["t/one:1", "t/two:a"]
    assert own_project.diff_ids("t/two:a")[:2] == own_project.diff_ids("t/one:1")
    rows = own_project.varve("images", "--json").json()
    assert [(row["name"], row["digest"], row["layers"]) for row in rows] == [
        (name, digest, layers) for (name, digest), layers in zip(build.digests.items(), (2, 3))]


def test_options_of_a_recipe(own_project):
    own_project.recipe(images=IMAGES, stages=TWO, options=OPTIONS)
    for arguments in (["--greeting", "hallo"], ["--greeting=hallo"], ["--set", "greeting=hallo"]):
        own_project.build("--tag", "b", *arguments)
        assert own_project.image("t/two:b").files["two"].data == b"hallo\n"
    help_text = own_project.varve("build", "r.yaml", "--help").stdout
    assert re.search(r"--greeting .*what it says", help_text) and "--tag a|b" in help_text
    assert max(map(len, help_text.splitlines())) <= 80


def test_results_as_json(own_project):
    own_project.recipe()
    results = json.loads(own_project.build("--json").result.stdout)
    assert results == [{**{key: value for key, value in own_project.image().descriptor.items() if key in results[0]},
                        "name": NAME}]


def test_inspect_tells_the_image(own_project):
    own_project.recipe([run("a", "touch /a")], config={"command": ["sh"]})
    digest = own_project.build().digests[NAME]
    document = own_project.varve("inspect", NAME, "--json").json()
    assert digest in json.dumps(document) and own_project.diff_ids()[0] in json.dumps(document)
    assert document == {**own_project.varve("inspect", digest, "--json").json(), "name": document.get("name")}
    assert "run touch /a" in own_project.varve("inspect", NAME).stdout


# --- compression ---------------------------------------------------------------------------------

@pytest.mark.parametrize("compression, suffix", [("gzip", "+gzip"), ("none", ""), ("zstd:19", "+zstd"), ("gzip:1", "+gzip")])
def test_compression_runs_no_step_again(own_project, compression, suffix):
    own_project.recipe([run("a", "seq 100000 >/a; touch /b")])
    own_project.build()
    before = own_project.image()
    build = own_project.build("--compression", compression)
    after = own_project.image()
    assert build.ran == []
    assert {one["mediaType"] for one in after.manifest["layers"]} == {f"application/vnd.oci.image.layer.v1.tar{suffix}"}
    assert after.config == before.config
    check_layout(own_project.varve.store)
    again = own_project.build("--compression", "zstd")
    assert again.ran == [] and own_project.image().manifest == before.manifest


def test_levels_differ_in_bytes_only(own_project):
    own_project.recipe([run("a", "seq 300000 >/a")])
    own_project.build("--compression", "zstd:1")
    fast = own_project.image()
    own_project.build("--compression", "zstd:19")
    small = own_project.image()
    assert small.manifest["layers"][1]["size"] < fast.manifest["layers"][1]["size"]
    assert small.config["rootfs"] == fast.config["rootfs"]


@pytest.mark.parametrize("compression", ["lzma", "zstd:99", "gzip:x", "none:1", ""])
def test_an_unknown_compression_is_refused(own_project, compression):
    own_project.recipe()
    assert own_project.build("--compression", compression, rc=2).ran == []


# --- checks --------------------------------------------------------------------------------------

def test_checks_of_an_image(project):
    checks = [{"name": "there", "run": "test -e /a"}, {"name": "says why", "run": "echo first; echo reason >&2; exit 3"}]
    project.recipe([run("a", "touch /a")], checks=checks)
    project.build()
    for what in (NAME, "r.yaml"):
        result = project.varve("validate", what, rc=1)
        assert re.search("^ok .* there$", result.stdout, re.M) and re.search("^FAILED .* says why$", result.stdout, re.M)
        assert "reason" in result.stdout and "1 of 2 checks failed" in result.stderr
    rows = project.varve("validate", NAME, "--json", rc=1).json()
    assert [(row["check"], row["status"], row["verdict"]) for row in rows] == [("there", 0, "ok"), ("says why", 3, "failed")]


def test_checks_that_pass(own_project):
    own_project.recipe(checks=[{"name": "fine", "run": "true"}])
    own_project.build()
    assert own_project.varve("validate", NAME).stdout.startswith("ok ")


def test_an_image_without_checks_or_none_at_all(own_project):
    own_project.recipe()
    assert own_project.varve("validate", NAME, rc=None).rc != 0
    own_project.build()
    assert "carries no checks" in own_project.varve("validate", NAME, rc=1).stderr


# --- run -----------------------------------------------------------------------------------------

def test_run_has_the_images_environment(project):
    project.recipe(config={"environment": {"A": "1", "B": "2"}, "workdir": "/etc", "command": ["cat", "group"]})
    project.build()
    assert project.varve("run", NAME).stdout.startswith("root:x:0:")
    result = project.varve("run", "-e", "B=3", "--env", "C=4", NAME, "env", env={"LEAK": "1"})
    lines = dict(line.split("=", 1) for line in result.stdout.splitlines())
    assert {name: lines.get(name) for name in ("A", "B", "C", "LEAK", "HOME")} == {
        "A": "1", "B": "3", "C": "4", "LEAK": None, "HOME": "/root"}
    assert project.varve("run", NAME, "pwd").stdout == "/etc\n"
    assert project.varve("run", "-w", "/bin", NAME, "pwd").stdout == "/bin\n"


def test_run_passes_the_exit_status_and_input(project):
    project.recipe()
    project.build()
    assert project.inside("exit 42", rc=42).stderr == ""
    assert project.inside("kill -TERM $$", rc=None).rc in (143, 15 + 128)
    assert project.inside("cat; echo err >&2", input="through\n").stdout == "through\n"
    assert project.varve("run", NAME, "no-such-command", rc=None).rc not in (0, 125)


def test_run_throws_changes_away(project):
    project.recipe()
    project.build()
    project.inside("touch /gone; rm /etc/passwd; test ! -e /etc/passwd")
    assert project.inside("ls /gone; cat /etc/passwd", rc=None).stdout.startswith("root:")
    assert list(project.varve.store.glob("tmp/*")) == []


def test_run_as_another_user(project):
    project.busybox()
    project.add_setpriv()
    project.recipe()
    project.build()
    assert project.inside("id -u; id -G", options=["-u", "app"]).stdout == "1000\n1000 50\n"
    assert project.inside("id -u; id -g", options=["--user", "12:34"]).stdout == "12\n34\n"


def test_run_with_a_directory_of_the_host(project):
    project.recipe()
    project.build()
    shared = project.varve.path("shared")
    shared.mkdir()
    (shared / "in").write_text("from the host\n")
    project.account.own(shared)
    assert project.inside("cat /mnt/in; echo out >/mnt/out", options=["-v", f"{shared}:/mnt"]).stdout == "from the host\n"
    assert (shared / "out").read_text() == "out\n" and (shared / "out").stat().st_uid == project.account.uid
    project.inside("touch /mnt/more", options=["-v", f"{shared}:/mnt:ro"], rc=1)
    assert "nowhere" in project.inside("true", options=["-v", "/nowhere:/mnt"], rc=None).stderr


def test_run_has_no_network_unless_asked(own_project):
    own_project.recipe()
    own_project.build()
    command = "cut -d: -f1 -s /proc/net/dev | tr -d ' '"
    assert own_project.inside(command).stdout == "lo\n"
    with open("/proc/net/dev") as file:
        count = sum(":" in line for line in file)
    assert len(own_project.inside(command, options=["--network"]).stdout.splitlines()) == count


def test_run_of_no_such_image(own_project):
    result = own_project.varve("run", "t/none:1", "true", rc=None)
    assert result.rc not in (0, 125) and "t/none:1" in result.stderr


# --- shell ---------------------------------------------------------------------------------------

def test_shell_below_a_step(project):
    project.tree("app", {"a": "source\n"})
    project.recipe([run("one", "touch /one"), run("two", "touch /two", environment={"V": "v"}, mounts={"/src": "app"},
                                                  workdir="/etc")],
                   sources={"app": {"kind": "local", "path": "app"}})
    project.build()
    result = project.varve("shell", "r.yaml", "two", "sh", "-c", "pwd; ls -d /one /two; cat /src/a; echo $V", rc=0)
    assert result.stdout == "/etc\n/one\nsource\nv\n"
    assert project.varve("shell", "r.yaml", "main/two", "sh", "-c", "exit 9", rc=9).stderr == ""
    assert "v\n" in project.varve("shell", "r.yaml", "two", input="echo $V\nexit\n").stdout


def test_shell_after_a_failure(project):
    project.recipe([run("one", "touch /one"), run("bad", "echo half >/half; rm /one; false")])
    assert "varve shell --failed" in project.build(rc=1).text
    result = project.varve("shell", "--failed", "r.yaml", "bad", "sh", "-c", "cat /half; ls /one; ls /bin/sh", rc=0)
    assert result.stdout == "half\n/bin/sh\n"
    project.recipe([run("one", "touch /one"), run("bad", "true")])
    project.build()
    assert "has not failed" in project.varve("shell", "--failed", "r.yaml", "bad", "true", rc=None).stderr


def test_shell_wants_the_steps_below(own_project):
    own_project.recipe([run("one", "touch /one"), run("two", "touch /two")])
    result = own_project.varve("shell", "r.yaml", "two", "true", rc=None)
    assert result.rc not in (0, 125) and "varve build r.yaml" in result.stderr
