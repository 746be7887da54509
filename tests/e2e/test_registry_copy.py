# SPDX-License-Identifier: Apache-2.0
"""varve copy, push, pull, index and inspect over all transports, and other tools at the other end."""
import io
import json
import subprocess
import tarfile

import oci_make
import pytest
from oci_schema import CONFIG, MANIFEST, REF_NAME, check_layout
from registries import MIB, assert_clear, assert_no_wrong_blobs, bed, program, real, skopeo  # noqa: F401  fixture
from support import NAME, own_project, run  # noqa: F401  fixture

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def ran(argv, rc=0, **options):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=120, check=False, **options)
    assert rc is None or done.returncode == rc, done
    return done


def skopeo_copy(source, target, *options):
    return ran([skopeo(), "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", *options, source, target])


class Places:
    """A name per transport, in the test's directory."""

    def __init__(self, bed):  # noqa: F811
        self.bed = bed
        bed.open()

    def name(self, transport, stem="x"):
        path = self.bed.varve.path
        return {"docker": self.bed.target(stem, "1"), "oci": f"oci:{path(stem)}:1", "dir": f"dir:{path(stem + '.d')}",
                "oci-archive": f"oci-archive:{path(stem + '.oci.tar')}:1", "store": f"store:{stem}/image:1",
                "docker-archive": f"docker-archive:{path(stem + '.tar')}:{stem}/image:1"}[transport]


@pytest.fixture
def places(bed):  # noqa: F811
    return Places(bed)


TRANSPORTS = ["docker", "oci", "oci-archive", "dir", "store"]


@pytest.mark.parametrize("source, target", [("docker", one) for one in TRANSPORTS] + [(one, "docker") for one in TRANSPORTS[1:]] + [
    pytest.param(one, other, marks=pytest.mark.slow) for one in TRANSPORTS[1:] for other in TRANSPORTS[1:]])
def test_bytes_are_moved_as_they_are(bed, places, source, target):  # noqa: F811
    bed.image([5000, 6000], compressed=True)
    bed.varve("copy", bed.source, places.name(source, "a"))
    bed.varve("copy", places.name(source, "a"), places.name(target, "b"))
    bed.varve("copy", places.name(target, "b"), f"oci:{bed.varve.path('pulled')}:t")
    bed.assert_pulled()
    check_layout(bed.varve.path("pulled"), strict=False)


@pytest.mark.parametrize("way", ["varve-skopeo", "skopeo-varve"])
@pytest.mark.parametrize("transport", TRANSPORTS[:-1])
def test_skopeo_at_the_other_end(bed, places, transport, way):  # noqa: F811
    bed.image([5000, 6000], compressed=True)
    name, back = places.name(transport, "a"), f"oci:{bed.varve.path('pulled')}:t"
    if way == "varve-skopeo":
        bed.varve("copy", bed.source, name)
        skopeo_copy(name, back)
    else:
        skopeo_copy(bed.source, name)
        bed.varve.account.own(bed.varve.directory)
        bed.varve("copy", name, back)
    bed.assert_pulled()


def test_a_docker_archive(bed, places):  # noqa: F811
    """Layers uncompressed, as docker save has them; skopeo reads it, and what skopeo wrote is read."""
    bed.image([5000, 6000], compressed=True)
    config = bed.layout.document(bed.digest)["config"]["digest"]
    name = places.name("docker-archive", "a")
    bed.varve("copy", bed.source, name)
    with tarfile.open(bed.varve.path("a.tar")) as tar:
        entry, = json.load(tar.extractfile("manifest.json"))
        diff_ids = bed.layout.document(config)["rootfs"]["diff_ids"]
        assert [oci_make.digest_of(tar.extractfile(layer).read()) for layer in entry["Layers"]] == diff_ids
        assert oci_make.digest_of(tar.extractfile(entry["Config"]).read()) == config
    skopeo_copy(name, f"dir:{bed.varve.path('by-skopeo')}")
    skopeo_copy(bed.source, f"docker-archive:{bed.varve.path('s.tar')}:s/image:1")
    bed.varve.account.own(bed.varve.directory)
    bed.varve("copy", f"docker-archive:{bed.varve.path('s.tar')}", f"oci:{bed.varve.path('o')}:t")
    check_layout(bed.varve.path("o"), strict=False)
    index = json.loads((bed.varve.path("o") / "index.json").read_text())
    document = json.loads((bed.varve.path("o/blobs") / index["manifests"][0]["digest"].replace(":", "/")).read_text())
    found = json.loads((bed.varve.path("o/blobs") / document["config"]["digest"].replace(":", "/")).read_text())
    assert found["rootfs"]["diff_ids"] == diff_ids


def test_crane_at_the_other_end(bed):  # noqa: F811
    crane = program("crane")
    bed.open()
    bed.image([5000, 6000], compressed=True)
    bed.push()
    ran([crane, "validate", "--remote", bed.registry.name("app", "1")])
    ran([crane, "pull", "--format=oci", bed.registry.name("app", "1"), bed.varve.path("by-crane")])
    assert json.loads((bed.varve.path("by-crane/index.json")).read_text())["manifests"][0]["digest"] == bed.digest
    ran([crane, "push", bed.layout.path, bed.registry.name("by-crane", "2")])
    bed.pull(repository="by-crane", reference="2")
    bed.assert_pulled()


@pytest.mark.parametrize("make", ["docker-registry", "distribution", "crane"])
def test_real_registries(bed, make):  # noqa: F811
    """There and back, everything there the second time, and several tags."""
    server = bed.start(real.Crane) if make == "crane" else bed.start(real.Distribution, make)
    bed.image([5 * MIB, 6000], compressed=True)
    targets = [f"docker://{server.name('team/app', tag)}" for tag in ("1", "latest")]
    bed.varve("copy", bed.source, targets[0])
    bed.varve("copy", bed.source, targets[0], "--chunk-size", str(MIB))
    bed.varve("copy", targets[0], f"oci:{bed.varve.path('pulled')}:t")
    bed.assert_pulled()
    bed.varve("copy", targets[0], targets[1])
    skopeo_copy(targets[1], f"oci:{bed.varve.path('by-skopeo')}:t")
    assert json.loads((bed.varve.path("by-skopeo/index.json")).read_text())["manifests"][0]["digest"] == bed.digest


@pytest.mark.parametrize("make", ["docker-registry", "distribution"])
def test_a_real_registry_with_passwords(bed, make):  # noqa: F811
    program("htpasswd")
    server = bed.start(real.Distribution, make, users={"ann": "s3cret"})
    bed.image([5000])
    target, file = f"docker://{server.name('app', '1')}", bed.varve.path("auth.json")
    assert_clear(bed.varve("copy", bed.source, target, rc=4), "varve login")
    bed.varve("login", server.host, "--user", "ann", "--password-stdin", "--authfile", file, input="s3cret")
    bed.varve("copy", bed.source, target, "--authfile", file)
    bed.varve("copy", target, f"oci:{bed.varve.path('pulled')}:t", "--authfile", file)
    bed.assert_pulled()


# --- from and into the store ---------------------------------------------------------------------

def test_build_push_pull_run(own_project, bed):  # noqa: F811
    """What a person does: build, push to two tags, pull elsewhere, run it there."""
    registry = bed.open()
    own_project.recipe([run("greet", "echo hello >/greeting")])
    digest = own_project.build().digests[NAME]
    varve = own_project.varve
    varve("push", NAME, *(f"docker://{registry.name('team/app', tag)}" for tag in ("1", "latest")))
    assert registry.content.repository("team/app").tags == {"1": digest, "latest": digest}
    assert registry.journal.count("upload-post") == len({*registry.content.repository("team/app").blobs})
    other = {"VARVE_STORE": varve.path("other")}
    varve("pull", f"docker://{registry.name('team/app', 'latest')}", env=other)
    assert digest.split(":")[1][:12] in varve("images", "--json", env=other).stdout.replace(digest, digest.split(":")[1][:12])
    name = registry.name("team/app", "latest")
    assert varve("run", name, "cat", "/greeting", env=other).stdout == "hello\n"


def test_build_and_push_in_one(own_project, bed):  # noqa: F811
    registry = bed.open()
    own_project.recipe(images={"main": {"stage": "main", "name": f"{registry.host}/team/app:7"}})
    result = own_project.varve("build", "r.yaml", "--push")
    digest = registry.content.repository("team/app").tags["7"]
    assert digest in result.stdout


def test_push_to_the_images_own_name(own_project, bed):  # noqa: F811
    registry = bed.open()
    name = f"{registry.host}/team/app:7"
    own_project.recipe(images={"main": {"stage": "main", "name": name}})
    own_project.build()
    own_project.varve("push", name)
    assert "7" in registry.content.repository("team/app").tags


def test_push_of_a_name_without_a_host(own_project):  # noqa: F811
    own_project.recipe()
    own_project.build()
    result = own_project.varve("push", NAME, rc=2)
    assert "registry" in result.stderr and NAME.split(":")[0] in result.stderr


def test_push_of_what_is_not_there(bed):  # noqa: F811
    bed.open()
    result = bed.varve("push", "no/such:image", bed.target(), rc=None)
    assert result.rc in (1, 2) and "no/such:image" in result.stderr and bed.registry.journal.entries == []


def test_a_pull_twice_is_one(bed):  # noqa: F811
    registry = bed.open()
    bed.image([5000])
    bed.serve_image()
    first = bed.varve("pull", bed.target())
    second = bed.varve("pull", bed.target())
    assert bed.digest in first.stdout and bed.digest in second.stdout
    assert registry.journal.count("blob-get") == 2
    check_layout(bed.varve.store, strict=False)


@pytest.mark.parametrize("target", ["oci:{}:1", "oci-archive:{}:1", "dir:{}", "docker-archive:{}:x/y:1"])
def test_a_failed_copy_leaves_no_target(bed, target):  # noqa: F811
    registry = bed.open()
    bed.image([5000])
    bed.serve_image()
    registry.fault("blob-get", "wrong", at=500, times=None, where=lambda entry: entry.reference == bed.blobs()[1])
    bed.varve("copy", bed.target(), target.format(bed.varve.path("out")), rc=4)
    out = bed.varve.path("out")
    assert not out.is_file() and not (out / "manifest.json").exists()
    index = out / "index.json"
    assert not index.exists() or json.loads(index.read_text())["manifests"] == []
    if out.exists():
        assert_no_wrong_blobs(out)


# --- several platforms ---------------------------------------------------------------------------

def platforms(bed, docker=False, attestation=True, nested=False):  # noqa: F811
    """A layout with an index over three platforms and what BuildKit adds to each."""
    layout, manifests = oci_make.Layout(bed.varve.path("many")), []
    for number, (architecture, variant) in enumerate((("amd64", None), ("arm64", None), ("arm", "v7"))):
        image = layout.image([layout.layer(5000, number)], architecture)
        platform = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
        manifests.append({**image, "platform": platform})
    if attestation:
        proof = layout.image([layout.layer(3000, 9)], "unknown")
        manifests.append({**proof, "platform": {"os": "unknown", "architecture": "unknown"}, "annotations": {
            "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": manifests[0]["digest"]}})
    top = layout.index(manifests)
    if nested:
        top = layout.index([top])
    bed.varve.account.own(layout.path)
    digest = layout.tag("all", top)
    return layout, digest, manifests


def test_an_index_goes_whole(bed):  # noqa: F811
    registry = bed.open()
    layout, digest, manifests = platforms(bed)
    bed.varve("copy", f"oci:{layout.path}:all", bed.target(), "--all-platforms")
    held = registry.content.repository("app")
    assert held.tags == {"1": digest} and set(held.manifests) == {digest, *(one["digest"] for one in manifests)}
    order = [entry.reference for entry in registry.journal.of("manifest-put")]
    assert order[-1] == "1" and set(order[:-1]) == {one["digest"] for one in manifests}
    bed.varve("copy", bed.target(), f"oci:{bed.varve.path('back')}:t", "--all-platforms")
    index = json.loads((bed.varve.path("back/index.json")).read_text())
    assert index["manifests"][0]["digest"] == digest


@pytest.mark.parametrize("platform, number", [("linux/amd64", 0), ("linux/arm64", 1), ("linux/arm/v7", 2)])
@pytest.mark.parametrize("nested", [False, True])
def test_a_platform_is_chosen(bed, platform, number, nested):  # noqa: F811
    registry = bed.open()
    layout, _, manifests = platforms(bed, nested=nested)
    bed.varve("copy", f"oci:{layout.path}:all", bed.target(), "--all-platforms")
    registry.journal.clear()
    bed.varve("copy", bed.target(), f"oci:{bed.varve.path('back')}:t", "--platform", platform)
    index = json.loads((bed.varve.path("back/index.json")).read_text())
    assert index["manifests"][0]["digest"] == manifests[number]["digest"]
    assert registry.journal.count("blob-get") == 2


def test_a_platform_that_is_not_there(bed):  # noqa: F811
    bed.open()
    layout, *_ = platforms(bed)
    bed.varve("copy", f"oci:{layout.path}:all", bed.target(), "--all-platforms")
    result = bed.varve("copy", bed.target(), f"oci:{bed.varve.path('back')}:t", "--platform", "linux/s390x", rc=None)
    assert result.rc in (2, 4) and "linux/s390x" in result.stderr
    assert "linux/arm64" in result.stderr and "unknown" not in result.stderr


def test_an_index_of_images(bed):  # noqa: F811
    """varve index NAME IMAGE...: from the store, pushed as a whole."""
    registry = bed.open()
    layout, _, manifests = platforms(bed, attestation=False)
    for number, one in enumerate(manifests):
        layout.tag(f"p{number}", {key: one[key] for key in ("mediaType", "digest", "size")})
        bed.varve("copy", f"oci:{layout.path}:p{number}", f"store:p/{number}:1")
    result = bed.varve("index", "p/all:1", "p/0:1", "p/1:1", "p/2:1")
    bed.varve("push", "p/all:1", bed.target())
    digest = registry.content.repository("app").tags["1"]
    assert digest in result.stdout
    document = json.loads(registry.content.manifest("app", digest)[2])
    assert [one["platform"]["architecture"] for one in document["manifests"]] == ["amd64", "arm64", "arm"]
    assert {one["digest"] for one in document["manifests"]} == {one["digest"] for one in manifests}


def test_an_index_of_the_same_platform_twice(bed):  # noqa: F811
    bed.image([5000])
    bed.varve("copy", bed.source, "store:p/1:1")
    bed.image([5000], directory="other", seed=2)
    bed.varve("copy", bed.source, "store:p/2:1")
    result = bed.varve("index", "p/all:1", "p/1:1", "p/2:1", rc=2)
    assert "linux/amd64" in result.stderr


def test_an_old_docker_image(bed):  # noqa: F811
    """Manifest v2 of docker: moved as it is."""
    registry = bed.open()
    bed.image([5000], compressed=True)
    document = bed.layout.document(bed.digest)
    config = {**document["config"], "mediaType": "application/vnd.docker.container.image.v1+json"}
    layers = [{**one, "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"} for one in document["layers"]]
    data = json.dumps({"schemaVersion": 2, "mediaType": DOCKER, "config": config, "layers": layers}, indent=3).encode()
    bed.serve_image()
    digest = registry.content.put_manifest("app", "old", DOCKER, data)
    registry.content.put_manifest("app", "list", DOCKER_LIST, json.dumps({
        "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [
            {"mediaType": DOCKER, "digest": digest, "size": len(data), "platform": {"os": "linux", "architecture": "amd64"}}]}).encode())
    for tag in ("old", "list"):
        bed.varve("copy", bed.target(reference=tag), bed.target("copied", tag))
    assert registry.content.manifest("copied", "old") == (digest, DOCKER, data)
    assert digest in registry.content.repository("copied").manifests


# --- inspect -------------------------------------------------------------------------------------

def test_inspect_does_not_pull(bed):  # noqa: F811
    registry = bed.open()
    bed.image([5 * MIB, 5000])
    bed.serve_image()
    result = bed.varve("inspect", bed.target())
    assert bed.digest in result.stdout and all(one["digest"].split(":")[1][:12] in result.stdout
                                               for one in bed.layout.document(bed.digest)["layers"])
    assert registry.journal.downloaded() <= 5000, registry.journal
    document = bed.varve("inspect", bed.target(), "--json").json()
    assert bed.digest in json.dumps(document)
    assert not any((bed.varve.store / "blobs" / digest.replace(":", "/")).exists() for digest in bed.blobs()[1:])


@pytest.mark.parametrize("platform, number", [("linux/amd64", 0), ("linux/arm64", 1)])
def test_inspect_of_an_index(bed, platform, number):  # noqa: F811
    bed.open()
    layout, _, manifests = platforms(bed)
    bed.varve("copy", f"oci:{layout.path}:all", bed.target(), "--all-platforms")
    result = bed.varve("inspect", bed.target(), "--platform", platform)
    assert manifests[number]["digest"] in result.stdout and platform in result.stdout


# --- hostile sources -----------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "blobs/sha256/../../../x"])
def test_an_archive_with_a_path_outside(bed, name):  # noqa: F811
    path = bed.varve.path("evil.tar")
    with tarfile.open(path, "w") as tar:
        for one, data in (("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), (name, b"x"),
                          ("index.json", json.dumps({"schemaVersion": 2, "manifests": [{
                              "mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 1, "annotations": {REF_NAME: "t"}}]}).encode())):
            entry = tarfile.TarInfo(one)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    result = bed.varve("copy", f"oci-archive:{path}:t", f"oci:{bed.varve.path('out')}:t", rc=None)
    assert result.rc in (1, 2, 4) and len(result.stderr.strip().splitlines()) <= 4, result
    assert not bed.varve.path("x").exists()


def test_a_layout_whose_blob_is_a_symlink(bed):  # noqa: F811
    bed.open()
    bed.image([5000])
    path = bed.layout.file(bed.blobs()[1])
    secret = bed.varve.write("secret", path.read_bytes())
    path.unlink()
    path.symlink_to(secret)
    result = bed.push(rc=None)
    assert result.rc in (1, 2, 4), result
    bed.assert_not_pushed()


def test_a_media_type_nobody_knows_is_moved(bed):  # noqa: F811
    """An artifact: config and layer of other kinds, empty config."""
    registry = bed.open()
    layout = oci_make.Layout(bed.varve.path("art"))
    layer = layout.blob(b"some data", "application/x-thing")
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x-art",
                "config": layout.blob(b"{}", "application/vnd.oci.empty.v1+json"), "layers": [layer]}
    digest = layout.tag("t", layout.blob(oci_make.dump(document), MANIFEST))
    bed.varve.account.own(layout.path)
    bed.varve("copy", f"oci:{layout.path}:t", bed.target("art"))
    assert registry.content.repository("art").tags == {"1": digest} and CONFIG


@pytest.mark.parametrize("damage, words", [("changed", "is damaged: its bytes are"), ("short", "is damaged: it has 1000 bytes"), ("gone", "is not here")])
def test_a_source_that_is_damaged(bed, damage, words):  # noqa: F811
    """Found before the registry has all of it; the message names the source."""
    registry = bed.open()
    bed.image([100000])
    path = bed.layout.file(bed.blobs()[1])
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.unlink() if damage == "gone" else path.write_bytes(data[:1000] if damage == "short" else data)
    result = bed.push(rc=1)
    assert words in result.stderr and f"oci:{bed.layout.path}: " in result.stderr, result
    bed.assert_not_pushed()
    assert bed.blobs()[1] not in registry.content.repository("app").blobs
