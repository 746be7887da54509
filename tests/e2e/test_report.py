# SPDX-License-Identifier: Apache-2.0
"""build and audit --report: the page's document, and what a real browser makes of it."""
import json
import os
import re
import shutil
import subprocess

import pytest
from support import NAME, own_project, run  # noqa: F401  fixtures

EVIL = '</script><img src=x onerror="document.title=1"><script>document.title=2<!-- &amp;'
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def document_of(page):
    """The JSON in the page, found as a browser finds it: to the first end of a script."""
    match = re.search(r'<script type="application/json" id="document">\n(.*?)</script>', page, re.S)
    return json.loads(match[1])


@pytest.fixture
def reported(own_project):
    """reported(STEPS, ...) builds; returns (the build, the page)."""
    project = own_project

    def build(*steps, **options):
        project.recipe(list(steps), **{name: options.pop(name) for name in ("sources", "config") if name in options})
        path = project.varve.path("report.html")
        result = project.build("--report", path, **options)
        return result, path.read_text()
    build.project = project
    return build


STEPS = (run("make", f"mkdir /data; head -c 300000 /dev/urandom >/data/large; echo 1 >'/data/{EVIL.replace('/', '_')}'; "
             f"mkdir -p /lib/apk/db; printf 'P:evil<b>\\nV:1\\nF:data\\nR:large\\n' >/lib/apk/db/installed"),
         run("quick", "true"))


def test_document(reported):
    first, page = reported(*STEPS)
    document = document_of(page)
    assert [(step["name"], step["state"]) for step in document["steps"]] == [
        ("main/root", "ran"), ("main/make", "ran"), ("main/quick", "ran")]
    assert all(step["why"] == "not built before" and step["end"] >= step["start"] for step in document["steps"])
    image = document["images"][0]
    assert image["name"] == NAME and image["digest"] == first.digests[NAME] and len(image["layers"]) == 2
    tree = {node["n"]: node for node in image["layers"][1]["directories"]["c"]}
    assert tree["data"]["c"][0] == {"n": "large", "s": 300000} and image["layers"][1]["packages"]["c"][0] == {"n": "evil<b>", "s": 300000}
    assert {row["name"]: row["value"] for row in document["provenance"]}["hermetic"].startswith("yes")
    again = document_of(reported(*STEPS)[1])
    assert [step["state"] for step in again["steps"]] == ["cached"] * 3 and again["images"] == document["images"]
    changed = document_of(reported(STEPS[0], run("quick", "false || true"))[1])
    assert [(step["state"], "command" in step.get("why", "")) for step in changed["steps"]] == [("cached", False), ("cached", False), ("ran", True)]


def test_failure_is_told(reported):
    result, page = reported(run("bad", "echo x; exit 7"), rc=1)
    document = document_of(page)
    assert "exit status 7" in document["failure"] and [step["state"] for step in document["steps"]] == ["ran", "failed"]
    assert "images" not in document


def test_needs_nothing_else(reported):
    page = reported(*STEPS)[1]
    assert not re.search(r"https?://", page) and page.count("<script") == 2 and page.count("</script>") == 2
    own = re.sub(r'id="document">.*?</script>', "", page, flags=re.S)
    assert not re.search(r"(src|href|action)\s*=|@import|url\(", own) and "default-src 'none'" in own


def test_cannot_be_written(own_project):
    own_project.recipe()
    assert "open directory /nonexistent" in own_project.build("--report", "/nonexistent/x.html", rc=1).result.stderr


def test_audit(reported):
    """Equal: no difference is told as such. Not equal: each one with its step."""
    project, path = reported.project, reported.project.varve.path("audit.html")
    for command, rc, wanted in (("echo 1 >/x", 0, []), ("head -c 99 /dev/urandom >/x", 5, ["x"])):
        reported(run("make", command))
        project.varve("audit", NAME, "--report", path, rc=rc, timeout=120)
        document = document_of(path.read_text())
        assert [one["path"] for one in document["differences"] if one.get("path")] == wanted
        assert {one["step"] for one in document["differences"] if one.get("path")} == {"main/make"} & ({"main/make"} if wanted else set())
        assert document["images"][0]["layers"] and len({row["value"] for row in document["provenance"] if row["group"] == "digests"}) == 1 + bool(rc)


@pytest.fixture
def browse(tmp_path):
    """browse(page) -> its document model as HTML after its scripts ran."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not program:
        pytest.skip("no browser is installed: chromium")

    def show(page):
        path = tmp_path / "page.html"
        path.write_text(page)
        done = subprocess.run([program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                               "--window-size=1200,900", f"--user-data-dir={tmp_path}/profile", "--dump-dom", path.as_uri()],
                              capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(tmp_path)})
        assert done.returncode == 0 and 'data-ready="yes"' in done.stdout, done.stderr[-2000:]
        return done.stdout
    return show


def test_in_a_browser(reported, browse):
    page = reported(*STEPS)[1]
    document = document_of(page)
    document["differences"] = [{"class": "content", "layer": 2, "path": EVIL, "field": "content", "a": "1", "b": None, "list": [EVIL]}]
    page = page.replace(re.search(r'id="document">\n(.*)\n</script>', page)[1], json.dumps(document).replace("<", "\\u003c"))
    shown = browse(page)
    body = shown[shown.index("<main"):shown.index("</main>")]
    assert "<img" not in body and "<script" not in body and "<title>build of t</title>" in shown
    assert body.count('class="line"') == 3 and "not built before" in body
    assert body.count('class="cell') > 4 and "large" in body and "evil&lt;b&gt;" in body
    assert "&lt;/script&gt;&lt;img src=x onerror=" in body and "1 difference" in body and NAME in body
    assert "hermetic" in body and document["images"][0]["digest"] in body


def test_nothing_to_show_in_a_browser(reported, browse):
    """A failed build has no image, and an audit may find no difference."""
    page = reported(run("bad", "exit 7"), rc=1)[1]
    body = browse(page)
    assert "What went wrong" in body and "exit status 7" in body and 'class="map"' not in body
    page = page.replace(re.search(r'id="document">\n(.*)\n</script>', page)[1], '{"title":"audit","subtitle":"","differences":[]}')
    assert "byte for byte the same" in browse(page)
