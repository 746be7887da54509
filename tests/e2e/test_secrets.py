# SPDX-License-Identifier: Apache-2.0
"""A step that leaves its secret anywhere fails with the place, and nothing of it is kept."""
import base64
import json
import pathlib
import urllib.parse

import pytest
from support import NAME, own_project, project, run  # noqa: F401  fixtures

SECRET = b"s3cr3t/Token+with %41 ways~\xc3\xa4?>" + bytes(range(200, 230)) + b"end of it"
NEEDLE = {"as it is": SECRET, "in base64": base64.b64encode(SECRET), "in hexadecimal": SECRET.hex().encode()}


def leak(step, command, **fields):
    return run(step, command, secrets=["token"], mounts={"/forms": "forms"}, **fields)


@pytest.fixture
def secret_project(own_project):
    """own_project whose secret "token" is SECRET; forms of it lie in the source "forms"."""
    varve = own_project.varve
    varve.path("token").write_bytes(SECRET + b"\n")
    odd, text = b"key=" + SECRET + b";", base64.b64encode(b"x" + SECRET)
    own_project.tree("forms", {
        "raw": odd, "base64": text, "base64-1": base64.b64encode(b"12" + SECRET + b"3"),
        "base64-2": base64.b64encode(b"1" + SECRET), "base64-lines": base64.encodebytes(SECRET * 3),
        "base64url": base64.urlsafe_b64encode(SECRET), "hex": SECRET.hex(), "HEX": SECRET.hex().upper(),
        "url": urllib.parse.quote(SECRET), "url-all": "".join(f"%{byte:02x}" for byte in SECRET),
        "form": urllib.parse.quote_plus(SECRET), "large": b"x" * ((256 << 10) - 20) + SECRET + b"y" * 100000,
        "large-end": b"\0" * 1000003 + SECRET, "percent": b"%4" + SECRET,
        "innocent": SECRET[:-1] + b"\n" + base64.b64encode(SECRET[1:]) + b"\n"})
    varve.account.own(varve.path("token"))
    return own_project


def build(project, *steps, rc=1, arguments=(), **more):
    project.recipe(list(steps), sources={"forms": {"kind": "local", "path": "forms"}}, **more)
    return project.build("--secret", f"token={project.varve.path('token')}", *arguments, rc=rc)


def kept(project):
    """Every byte in the store that could hold something of the step, by file."""
    store = pathlib.Path(project.varve.store)
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file() and not path.is_symlink()}


def assert_nothing_kept(project, result):
    texts = {**kept(project), "stdout": result.result.stdout.encode(), "stderr": result.result.stderr.encode()}
    for name, text in texts.items():
        if "sha256" in str(name) or "trees" in str(name):
            continue  # the source of the test itself is in the store
        for form, needle in NEEDLE.items():
            assert needle not in text, (name, form)
    records = [json.loads(text) for path, text in texts.items() if "/steps/" in str(path)]
    assert not [record for record in records if record["input"].get("secrets")]


FORMS = {"raw": "as it is", "base64": "in base64", "base64-1": "in base64", "base64-2": "in base64",
         "base64-lines": "in base64", "base64url": "in base64", "hex": "in hexadecimal", "HEX": "in hexadecimal",
         "url": "URL-encoded", "url-all": "URL-encoded", "form": "URL-encoded", "large": "as it is",
         "large-end": "as it is", "percent": "as it is"}


def test_every_form_in_a_file(secret_project):
    for name, form in FORMS.items():
        result = build(secret_project, leak(name.lower() + "-form", f"mkdir -p /etc/x && cat /forms/{name} >/etc/x/f"))
        assert f'a secret is in etc/x/f: "token" {form}\n' in result.result.stderr, (name, result.result.stderr)
        assert_nothing_kept(secret_project, result)


PLACES = {
    "name": ("echo x >\"/opt/$(head -c 25 /run/secrets/name)\"", "opt/... (a name)"),
    "directory": ("mkdir -p \"/opt/a/x$(cat /run/secrets/name)y/b\"; cd /opt/a/x*/b && echo 1 >c", "opt/a/... (a name)"),
    "link": ("ln -s \"/x/$(cat /run/secrets/name)\" /opt/link", "opt/link (the target of a link)"),
    "output": ("echo one; echo two $(cat /run/secrets/name) three", "line 2 of its output"),
    "errors": ("echo one; base64 /run/secrets/name >&2", "line 2 of its output"),
    "output without end": ("printf 'one\\n\\nx%s' $(cat /run/secrets/name)", "line 3 of its output"),
}


@pytest.mark.parametrize("name", PLACES)
def test_places(secret_project, name):
    project, (command, place) = secret_project, PLACES[name]
    secret = "name-in-a-path_Token.1234"
    project.varve.write("name", secret + "\n")
    project.recipe([run("leak", "mkdir -p /opt; " + command, secrets=["name"])])
    result = project.build("--secret", f"name={project.varve.path('name')}", rc=1)
    assert f'{place}: "name"' in result.result.stderr
    text = base64.b64encode(secret.encode()).decode()[:-4]
    for where, data in {**kept(project), "stderr": result.result.stderr.encode()}.items():
        assert secret.encode() not in data and text.encode() not in data and secret not in str(where), where


def test_output_of_many_lines(secret_project):
    """A secret of several lines, printed as such and as base64 of several lines: no line of it is shown."""
    project = secret_project
    lines = [f"line {number} of a key {number * 7919:x}" for number in range(40)]
    project.varve.write("key", "\n".join(lines) + "\n")
    for number, command in enumerate(("cat /run/secrets/key", "base64 /run/secrets/key")):
        project.recipe([run("leak", f"echo before; {command}; echo after", secrets=["key"])])
        result = project.build("--secret", f"key={project.varve.path('key')}", rc=1)
        assert 'line 2 of its output: "key"' in result.result.stderr
        hidden = base64.b64encode("\n".join(lines).encode()).decode()
        output = result.output
        assert output[0] == "before" and output[-1] == "after" and len(output) > 15
        assert not any(line in text or hidden[100:140] in text for text in output for line in lines), output


def test_command_fails_and_leaks(secret_project):
    result = build(secret_project, leak("both", "cat /run/secrets/token; exit 3"))
    assert "exit status 3" in result.result.stderr and "withheld" in result.result.stderr
    assert_nothing_kept(secret_project, result)


def test_definition_and_config(secret_project):
    project = secret_project
    project.varve.write("token", "plain-Token-1234")
    result = build(project, leak("own", "true", environment={"T": "plain-Token-1234"}))
    assert 'the step\'s definition.environment.T: "token" as it is' in result.result.stderr
    assert "plain-Token" not in result.result.stderr
    for config, place in (({"environment": {"T": "xplain-Token-1234"}}, "config.Env"),
                          ({"labels": {"l": base64.b64encode(b"plain-Token-1234").decode()}}, "config.Labels.l")):
        result = build(project, leak("ok", "true"), config=config)
        assert f'image {NAME}: a secret is in {place}: "token"' in result.result.stderr
        assert "plain-Token" not in result.result.stderr
        assert project.varve("images").stdout == ""
    result = build(project, run("said", "true plain-Token-1234", mounts={"/forms": "forms"}))
    assert 'history: "token" as it is' in result.result.stderr


def test_nothing_leaks(project):
    """The secret may be used; parts of it, and files that merely look alike, are no leak."""
    varve = project.varve
    varve.path("token").write_bytes(SECRET)
    varve.path("short").write_bytes(b"abc\n")
    project.tree("forms", {"innocent": SECRET[:-1] + b"\n" + base64.b64encode(SECRET[1:]) + b"\n"})
    project.recipe([run("use", "wc -c </run/secrets/token; cat /forms/innocent >/f; sha256sum /run/secrets/token >/sum; "
                        "truncate -s 64M /sparse; cp /run/secrets/short /s; echo %41%; printf end",
                        secrets=["token", "short"], mounts={"/forms": "forms"})],
                   sources={"forms": {"kind": "local", "path": "forms"}})
    result = project.build("--secret", f"token={varve.path('token')}", "--secret", f"short={varve.path('short')}",
                           "--compression", "zstd:1")
    assert result.output == [str(len(SECRET)), "%41%", "end"]
    assert any('"short" has less than 8 bytes' in event["text"] for event in result.events if event["event"] == "notice")
    assert project.image().files["f"].data.startswith(SECRET[:-1])


def test_records_without_a_search_do_not_count(secret_project):
    """The key of a step with secrets says that its layer was searched."""
    project = secret_project
    build(project, leak("use", "echo >/x"), run("other", "echo >/y"), rc=0)
    assert project.verdicts()["main/use"] == "hit"
    records = [json.loads(text)["input"] for path, text in kept(project).items() if "/steps/" in str(path)]
    assert sorted(record.get("secrets-searched", 0) for record in records if record["action"] == "run") == [0, 1]
