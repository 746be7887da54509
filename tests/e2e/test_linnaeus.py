# SPDX-License-Identifier: Apache-2.0
"""The reference case, row by row of what it has to be able to do, on stand-ins (linnaeus_bed.py); once whole and real."""
import json
import re
import shutil
import time

import accounts
import debs
import pytest
import wheels
from compiles import lock_today
from conftest import Varve, need
from disk import Peak, used
from git_server import GitServer
from linnaeus_app import Application
from linnaeus_bed import BASE, LOCK, NVCC, RECIPE, RUNTIME, Bed, fourth_row
from oci_image import Image
from registries import FaultRegistry

pytestmark = pytest.mark.skipif(wheels.host_python() is None, reason="no /usr/bin/python3 with its library")
ROWS = {"ampere": "ampere-cu126-torch2.7.1-fav2", "turing": "turing-cu126-torch2.7.1-fanone",
        "hopper": "hopper-cu128-torch2.8.0-fav3"}
GPU = ("a GPU is there", "compute capability 8.0;8.6", "a kernel runs")


@pytest.fixture(scope="module")
def bed(binary, tmp_path_factory, signing_key):
    need("git")
    uv = wheels.uv_wheel()
    if uv is None:
        pytest.skip("pip cannot download uv here")
    account = accounts.find(accounts.current())
    made = Bed(Varve(binary, account), tmp_path_factory.mktemp("linnaeus"), uv, signing_key)
    yield made
    made.close()
    account.close()


@pytest.fixture(scope="module")
def ampere(bed):
    """The images of the default row at a commit that starts, and what the build told."""
    return bed.build("--branch", bed.app.good)


def flash(bed):
    return "--flash-repository", bed.server.url("flash/.git")


def rows_of(bed, name, *arguments, rc=0):
    return {row["check"]: row for row in bed.varve("validate", name, "--json", *arguments, rc=rc, timeout=120).json()}


# --- options -------------------------------------------------------------------------------------

def test_help_lists_the_recipes_own_options(varve):
    text = varve("build", RECIPE, "--help").stdout
    flat = re.sub(r"\s+", " ", text)
    for words in ("--arch ampere|turing|hopper", "(default ampere)", "--repository VALUE", "(required)", "--branch VALUE",
                  "(default main)", "--max-jobs N|auto", "(default 12)", "--tag-suffix VALUE", "(default: empty)",
                  "--cuda-toolkit debian|nvidia|wheels|image", "(default debian)", "--flash-repository VALUE"):
        assert words in flat, words


@pytest.mark.parametrize("arguments, words", [
    (["--arch", "pascal"], "option \"arch\" is ampere, turing or hopper, not \"pascal\""),
    (["--max-jobs", "0"], "option \"max-jobs\": \"0\" is neither a whole number from 1 to 4096 nor auto"),
    (["--max-jobs", "-3"], "\"-3\" is neither"),
    (["--max-jobs", "many"], "\"many\" is neither"),
    (["--arch", "hopper"], "give --flash-repository URL"),
    (["--cuda-toolkit", "wheels"], "torch 2.7.1 (cu126) does not compile with the nvcc of CUDA 13"),
    (["--cuda-toolkit", "image"], "give --cuda-image"),
    ([], "--repository VALUE")])
def test_what_cannot_be_built_is_said_before_anything_is_done(varve, arguments, words):
    where = ["--repository", "https://git.invalid/app"] if arguments else []
    result = varve("build", RECIPE, *where, *arguments, rc=2)
    assert words in result.stderr
    assert not any((varve.store / "steps").iterdir()) and not varve.path("linnaeus.lock.json").exists()


def test_the_machines_config_may_name_the_repository(bed, ampere):
    del ampere
    options = {"repository": "https://git.invalid/another", "linnaeus.repository": bed.server.url("app/.git"), "app.repository": "x",
               "linnaeus.flash-repository": bed.server.url("flash/.git")}
    bed.varve.write("config/varve/config.json", json.dumps({"options": options}))
    try:
        plan = bed.varve("plan", "linnaeus.yaml", *bed.index.mirror).stdout
        hopper = bed.varve("plan", "linnaeus.yaml", *bed.mirrors, "--arch", "hopper").stdout
    finally:
        bed.varve.path("config/varve/config.json").unlink()
    assert bed.app.tip[:12] in plan and "base/flash-attention-3" in hopper


@pytest.mark.parametrize("suffix", ["/x", " x", "-" + "a" * 120, "+b"])
def test_a_tag_that_cannot_be_is_refused_before_anything_is_built(bed, suffix):
    before = sorted(bed.varve.path("store/steps").glob("*"))
    result = bed.build("--branch", bed.app.good, "--arch", "turing", "--tag-suffix", suffix, rc=2).result
    assert "is no tag" in result.stderr and sorted(bed.varve.path("store/steps").glob("*")) == before


def test_the_commit_that_was_just_resolved_is_in_the_image(bed, ampere):
    """By branch, tag, whole and abbreviated commit; the name says what is in the image, whatever main is."""
    del ampere
    repository = bed.app.repository
    side = bed.app.variant({"linnaeus/main.py": bed.app.main + "# side\n"})
    repository.git("branch", "side", side)
    repository.git("tag", "v1", bed.app.good)
    for ref, commit in (("side", side), ("v1", bed.app.good), (side[:9], side), (bed.app.good, bed.app.good),
                        ("main", bed.app.tip)):
        build = bed.build("--branch", ref)
        called = "refs/tags/v1" if ref == "v1" else ref
        assert f"app: {called} -> {commit}" in [e.get("text") for e in build.events]
        assert bed.runtime(commit) in build.digests
    marks = {commit: bed.inside("tail -n 1 /app/linnaeus/linnaeus/main.py", bed.runtime(commit))
             for commit in (side, bed.app.good, bed.app.tip)}
    assert marks == {side: "# side\n", bed.app.good: "    main()\n", bed.app.tip: "    pass\n"}
    result = bed.build("--branch", "nowhere", rc=None).result
    assert result.rc in (2, 4) and "nowhere" in result.stderr


def test_the_tag_suffix_is_appended_as_given(bed, ampere):
    del ampere
    assert bed.runtime(bed.app.good, suffix="-custom") in bed.build("--branch", bed.app.good, "--tag-suffix", "-custom").digests
    assert bed.runtime(bed.app.good, suffix="_b.1") in bed.build("--branch", bed.app.good, "--tag-suffix", "_b.1").digests


# --- rows ----------------------------------------------------------------------------------------

def test_the_lock_that_comes_with_it_serves_all_rows(bed, varve):
    """All but the two repositories, which are of whoever builds. It names no host."""
    assert not re.search(r"https?://", LOCK.read_text())
    shutil.copy(LOCK, varve.directory)
    shutil.copy(RECIPE, varve.directory)
    for arch, tag in ROWS.items():
        text = varve("plan", "linnaeus.yaml", *bed.options, "--arch", arch, "--branch", bed.app.good, *flash(bed),
                     "--progress", "json").stderr
        resolved = {event["step"] for event in map(json.loads, text.splitlines()) if event["event"] == "resolve"}
        assert resolved <= {"app", "flash-git"}, tag


def test_what_the_lock_brings_for_each_row():
    """The versions of the table, and what else a base has to have."""
    found = {}
    for source in json.loads(LOCK.read_text())["sources"]:
        found.setdefault(source["name"], []).append({one["name"]: one["version"] for one in source["artifacts"]})
    torch = {one["torch"]: one for one in found["torch"]}
    for version, cuda in (("2.7.1", "12.6."), ("2.8.0", "12.8.")):
        row = torch[version]
        assert row["nvidia-cuda-runtime-cu12"].startswith(cuda) and row["torchaudio"] == version
        assert {"torchvision", "uv", "ninja", "packaging", "setuptools", "wheel"} <= set(row)
    assert "2.7.4.post1" in [one.get("flash-attn") for one in found["flash"]]
    assert found["nvcc"][0]["nvidia-cuda-toolkit"].startswith("12.4.")
    assert {"build-essential", "gcc", "g++", "git", "curl", "unzip", "libglib2.0-0", "libsm6", "libxext6", "libfontconfig1", "libxrender1",
            "libgl1", "rclone", "python3.11", "python3.11-dev", "python3.11-venv"} <= set(found["system"][0])


def test_the_names_of_all_rows(bed):
    for arch, tag in ROWS.items():
        plan = bed.plan("--arch", arch, "--branch", bed.app.good, *flash(bed))
        assert [image["name"] for image in plan.images] == [f"{BASE}:{tag}", bed.runtime(bed.app.good, arch)]


def test_each_row_is_built_and_valid(bed, ampere):
    built = {"ampere": ampere}
    for arch in ("turing", "hopper"):
        built[arch] = bed.build("--arch", arch, "--branch", bed.app.good, *flash(bed))
    assert "base/flash-attention | compiling for 80 with 12 jobs, torch 2.7.1+cu126" in told(ampere)
    assert any(line.startswith("base/flash-attention-3 | compiling for 90a with 12 jobs") for line in told(built["hopper"]))
    assert "base/flash-attention-3 | Cuda compilation tools" in told(built["hopper"])
    # The same torch: its layers are those of ampere.
    assert not [step for step in built["turing"].ran if step.startswith("base/torch")]
    for arch, tag in ROWS.items():
        for name in (f"{BASE}:{tag}", bed.runtime(bed.app.good, arch)):
            rows = rows_of(bed, name)
            assert {row["verdict"] for row in rows.values()} == {"ok", "skipped"}, rows
            assert [row["why"] for row in rows.values() if row["verdict"] == "skipped"] == ["no GPU"] * 3
            assert ("no Flash Attention" in rows) == (arch == "turing")


def told(build):
    return [f"{event['step']} | {event['text']}" for event in build.events if event["event"] == "output"]


def test_what_the_images_say_of_themselves(bed, ampere):
    del ampere
    config = bed.config(bed.runtime(bed.app.good))
    environment = dict(one.split("=", 1) for one in config["Env"])
    assert config["Entrypoint"] == ["python", "-m", "linnaeus.main"] and "Cmd" not in config
    assert config["WorkingDir"] == "/app/linnaeus" and environment["PYTHONPATH"] == "/app/linnaeus"
    assert environment["TORCH_CUDA_ARCH_LIST"] == "8.0;8.6" and environment["CUDA_HOME"] == "/usr/local/cuda"
    assert environment["PATH"].startswith("/opt/venv/bin:/usr/local/cuda/bin:")
    assert environment["TZ"] == "Etc/UTC" and environment["DEBIAN_FRONTEND"] == "noninteractive"
    inside = "python -c 'import linnaeus; print(linnaeus.__file__)'; ls -A /root /app/linnaeus | tr '\\n' ' '"
    result = bed.inside(inside, bed.runtime(bed.app.good))
    assert result.startswith("/app/linnaeus/linnaeus/__init__.py\n") and ".git" not in result and ".cache" not in result


@pytest.mark.parametrize("toolkit, release, headers", [
    ("debian", "12.4", {"cuda_runtime.h": "// 12.4", "cublas.h": "// 126"}),
    ("nvidia", "12.6", {"cuda_runtime.h": "// 12.6", "cublas.h": "// 126"}),
    ("image", "12.4", {"cublas.h": "// 126"})])
def test_another_toolkit_leaves_the_rest_alone(bed, ampere, toolkit, release, headers):
    """Wherever nvcc comes from it lies in one place, with the headers of torch's libraries beside its own."""
    del ampere
    options = bed.cuda_image(NVCC + "# image\n", "cuda") if toolkit == "image" else ("--cuda-toolkit", toolkit)
    build = bed.build("--branch", bed.app.good, "--arch", "turing", *options)
    assert not [step for step in build.ran if step.startswith("base/torch")]
    name = f"{BASE}:{ROWS['turing']}"
    shown = bed.project.inside("nvcc --version; cat $CUDA_HOME/bin/nvcc; ls $CUDA_HOME", image=name).stdout
    assert f"release {release}," in shown
    assert {"debian": "lib64", "nvidia": "# NVIDIA's", "image": "# image"}[toolkit] in shown
    for file, text in headers.items():
        assert bed.project.inside(f"cat $CUDA_HOME/include/{file}", image=name).stdout == text + "\n"
    assert rows_of(bed, name)["nvcc"]["verdict"] == "ok"


def test_nvidias_packages_are_taken_with_its_signature_only(bed, ampere):
    del ampere
    plan = [*bed.options, "--arch", "turing", "--cuda-toolkit", "nvidia", "--branch", bed.app.good]
    bed.varve.write("linnaeus.yaml", bed.text.replace("mirror: nvidia\n    keyring: nvidia.gpg", "mirror: nvidia\n    keyring: another.gpg"))
    missing = bed.varve("lock", "linnaeus.yaml", *plan, rc=2)
    another = debs.SigningKey("Another <another@example.org>")
    bed.varve.write("another.gpg", another.public)
    another.close()
    refused = bed.varve("lock", "linnaeus.yaml", *plan, rc=None)
    bed.varve.write("linnaeus.yaml", bed.text)
    assert "keyring another.gpg cannot be read" in missing.stderr
    assert refused.rc not in (0, 2) and "source \"nvidia\"" in refused.stderr and "signature" in refused.stderr, refused


def test_a_fourth_row_as_the_readme_shows_it(bed, ampere):
    """Made for CUDA 13, whose nvcc comes as wheels."""
    del ampere
    bed.varve.write("linnaeus.yaml", fourth_row(bed.text))
    options = ["--arch", "blackwell", "--branch", bed.app.good]
    refused = bed.build(*options, rc=2).result
    built = bed.build(*options, "--cuda-toolkit", "wheels")
    bed.varve.write("linnaeus.yaml", bed.text)
    assert "does not compile with the nvcc of CUDA 12" in refused.stderr
    name = f"{BASE}:blackwell-cu130-torch2.11.0-fanone"
    assert name in built.digests
    assert {row["verdict"] for row in rows_of(bed, bed.runtime(bed.app.good, "blackwell")).values()} == {"ok", "skipped"}
    assert bed.project.inside("cat $CUDA_HOME/include/cublas.h; [ -x $CUDA_HOME/nvvm/bin/cicc ]", image=name).stdout == "// 130\n"


# --- what runs again -----------------------------------------------------------------------------

def test_only_what_changed_is_built_again(bed, ampere):
    base = ampere.digests[f"{BASE}:{ROWS['ampere']}"]
    begun = time.monotonic()
    commit = bed.app.variant({"linnaeus/config.py": "read = open\n"})
    changed = bed.build("--branch", commit)
    took = time.monotonic() - begun
    assert changed.ran == ["runtime/application", "runtime/code"], changed.ran
    assert changed.digests[f"{BASE}:{ROWS['ampere']}"] == base and took < 30
    assert not bed.build("--branch", commit, "--max-jobs", "3").ran
    # The runtime stage is edited.
    bed.varve.write("linnaeus.yaml", bed.text.replace("workdir: /app/linnaeus\n", "workdir: /app\n").replace(
        "[ -f pyproject.toml ]", "cd linnaeus; [ -f pyproject.toml ]"))
    again = bed.build("--branch", commit)
    bed.varve.write("linnaeus.yaml", bed.text)
    assert again.ran == ["runtime/application"]
    # An input of the base is another one: explain names it.
    bed.varve.write("linnaeus.yaml", bed.text.replace('flash-archs: "80"', 'flash-archs: "86"', 1))
    shown = bed.varve("explain", "linnaeus.yaml", "base/flash-attention", *bed.options, "--branch", commit).stdout
    bed.varve.write("linnaeus.yaml", bed.text)
    assert 'FLASH_ATTN_CUDA_ARCHS: "80" -> "86"' in shown, shown


def test_jobs_that_do_not_fit_are_told_and_auto_fits(bed, ampere):
    del ampere
    bed.varve.write("linnaeus.yaml", bed.text.replace("jobs-memory: 7G", "jobs-memory: 4T", 1).replace("flash-archs: \"80\"", "flash-archs: \"81\"", 1))
    plan = [*bed.options, "--branch", bed.app.good]
    build = bed.build("--branch", bed.app.good, "-i", "base", "--max-jobs", "5")
    auto = bed.text.replace("jobs-memory: 7G", "jobs-memory: 4T", 1).replace("flash-archs: \"80\"", "flash-archs: \"82\"", 1)
    bed.varve.write("linnaeus.yaml", auto)
    chosen = bed.build("--branch", bed.app.good, "-i", "base", "--max-jobs", "auto")
    keys = [json.loads(bed.varve("plan", "linnaeus.yaml", "--json", *plan, "--max-jobs", jobs).stdout)["steps"] for jobs in ("1", "auto")]
    bed.varve.write("linnaeus.yaml", bed.text)
    notices = [event["text"] for event in build.events if event["event"] == "notice"]
    assert any(re.match(r"base/flash-attention: 5 jobs of up to 4\.4 TB each may want 22\.0 TB of memory, .* free: 1 would fit", text)
               for text in notices), notices
    assert any("with 5 jobs" in line for line in told(build)) and any("with 1 jobs" in line for line in told(chosen))
    assert [event["text"] for event in chosen.events if event["event"] == "notice" and "1 jobs" in event["text"]]
    inputs = [[step["input"] for step in steps] for steps in keys]
    assert inputs[0] == inputs[1]


# --- validate ------------------------------------------------------------------------------------

def test_a_main_module_that_does_not_parse(bed, ampere):
    """It becomes an image all the same, and validate shows why it is none to use."""
    del ampere
    bed.build("--branch", bed.app.tip)
    result = bed.varve("validate", bed.runtime(bed.app.tip), rc=1, timeout=120)
    failed = re.findall("^FAILED .*  (.*)$", result.stdout, re.M)
    assert failed == ["the application imports", "the application starts"], result
    assert "main.py" in result.stdout and "def unfinished(:" in result.stdout and "SyntaxError" in result.stdout
    assert "2 of 7 checks failed; others were skipped" in result.stderr
    assert {row["verdict"] for name, row in rows_of(bed, bed.runtime(bed.app.tip), rc=1).items() if name in GPU} == {"skipped"}


@pytest.mark.parametrize("files, words", [
    ({"linnaeus/config.py": "import no_such_module\n"}, "ModuleNotFoundError"),
    ({"linnaeus/main.py": "import sys\ndef main():\n    raise OSError('libx.so: no such file')\nif __name__ == '__main__':\n    main()\n"},
     "OSError: libx.so"),
    ({"linnaeus/main.py": "import sys\nsys.exit(4)\n"}, "exit status 4")])
def test_an_application_that_does_not_load(bed, ampere, files, words):
    del ampere
    commit = bed.app.variant(files)
    bed.build("--branch", commit)
    assert words in rows_of(bed, bed.runtime(commit), rc=1)["the application starts"]["output"]


def test_flash_attention_where_none_belongs_and_another_version(bed, ampere):
    """The check of one row on what another row, or an index, brought."""
    del ampere
    bed.varve.write("linnaeus.yaml", bed.text.replace('flash: 2.7.4.post1', 'flash: 2.7.5', 1))
    bed.build("--branch", bed.app.good, "-i", "base")
    bed.varve.write("linnaeus.yaml", bed.text)
    row = rows_of(bed, f"{BASE}:{ROWS['ampere']}", rc=1)["Flash Attention 2.7.5"]
    assert row["verdict"] == "failed" and "2.7.4.post1" in row["output"]
    bed.build("--branch", bed.app.good, "-i", "base")


def cdi(bed, capability="8.6", **members):
    """A CDI file of a device that is /dev/zero and a driver of six bytes, as NVIDIA's toolkit would write it."""
    bed.project.tree("driver", {"libcuda.so.570.1": "driver", "libcuda.so.1": ("link", "libcuda.so.570.1")})
    document = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "containerEdits": {
        "env": ["NVIDIA_VISIBLE_DEVICES=void"],
        "mounts": [{"hostPath": str(bed.varve.path("driver/libcuda.so.570.1")),
                    "containerPath": "/usr/lib/driver/libcuda.so.570.1", "options": ["ro", "nosuid", "bind"]}],
        "hooks": [{"hookName": "createContainer", "path": "/no/such/hook", "args": ["x"]}]},
        "devices": [{"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/none"}]}},
                    {"name": "all", "containerEdits": {"env": [f"FAKE_CAPABILITY={capability}"],
                                                       "deviceNodes": [{"path": "/dev/nvidia0", "hostPath": "/dev/zero"}]}}], **members}
    return bed.varve.write("cdi.json", json.dumps(document))


def test_with_a_gpu_its_checks_run(bed, ampere):
    del ampere
    bed.build("--branch", bed.app.good)
    name = bed.runtime(bed.app.good)
    rows = rows_of(bed, name, "--cdi", cdi(bed))
    assert [rows[check]["verdict"] for check in GPU] == ["ok"] * 3 and {row["verdict"] for row in rows.values()} == {"ok"}
    rows = rows_of(bed, name, "--cdi", cdi(bed, "7.5"), rc=1)
    assert rows["compute capability 8.0;8.6"]["verdict"] == "failed" and "7.5" in rows["compute capability 8.0;8.6"]["output"]
    result = bed.varve("validate", name, "--gpu", rc=None)
    assert result.rc in (0, 1, 3) and (result.rc != 3 or "no GPU here" in result.stderr)


@pytest.mark.parametrize("change, code, words", [
    ({"devices": []}, 2, "cdiVersion, kind or devices"),
    ({"kind": None}, 2, "cdiVersion, kind or devices"),
    ({"devices": [{"name": "all", "containerEdits": {"deviceNodes": [{"path": "dev/x"}]}}]}, 2, "absolute path"),
    ({"devices": [{"name": "all", "containerEdits": {"deviceNodes": [{"path": "/dev/none"}]}}]}, 3, "/dev/none, which is not on this host"),
    ({"containerEdits": {"env": ["X"]}}, 2, "NAME=VALUE")])
def test_a_cdi_file_that_is_wrong(bed, ampere, change, code, words):
    del ampere
    assert words in bed.varve("validate", bed.runtime(bed.app.good), "--cdi", cdi(bed, **change), rc=code).stderr


# --- registry ------------------------------------------------------------------------------------

def test_push_sends_the_base_once_and_mounts_it(bed, ampere):
    del ampere
    with FaultRegistry("strict", directory=bed.varve.account.directory()) as registry:
        options = ["--registry", registry.host, "--branch", bed.app.good, "--push"]
        bed.build(*options)
        tags = {(entry.repository, entry.reference) for entry in registry.journal.of("manifest-put", status=201)}
        assert {repository for repository, _ in tags} == {BASE, BASE.replace("base", "dev")}
        posts = registry.journal.of("upload-post", status=201)
        layers = len(bed.project.image(f"{registry.host}/{BASE}:{ROWS['ampere']}").layers)
        assert len([entry for entry in posts if entry.repository.endswith("-dev")]) >= layers, "base layers are mounted"
        registry.journal.clear()
        commit = bed.app.variant({"linnaeus/config.py": "read = open  # pushed\n"})
        bed.build("--registry", registry.host, "--branch", commit, "--push")
        assert registry.journal.uploaded() < 100_000, registry.journal
        assert not [entry for entry in registry.journal.of("upload-post") if entry.repository.endswith("-base")]
        # Another Flash Attention is sent alone: what it is beside is there in layers of its own.
        registry.journal.clear()
        bed.varve.write("linnaeus.yaml", bed.text.replace('flash-archs: "80"', 'flash-archs: "80;86"', 1))
        built = bed.build("--registry", registry.host, "--branch", commit, "--push")
        bed.varve.write("linnaeus.yaml", bed.text)
        assert "base/flash-attention" in built.ran and registry.journal.uploaded() < 100_000, registry.journal
        name = registry.name(BASE.replace("base", "dev"), f"{commit[:12]}-ampere")
        bed.varve("gc", "--keep", "0")
        assert bed.varve("validate", f"docker://{name}", timeout=120).stderr.endswith("7 passed, 3 skipped\n")


# --- bad input -----------------------------------------------------------------------------------

def test_a_version_of_flash_attention_that_does_not_exist(bed):
    bed.varve.write("linnaeus.yaml", bed.text.replace("flash-sdist: 2.7.4.post1", "flash-sdist: 2.9.9", 1))
    result = bed.build(rc=2).result
    bed.varve.write("linnaeus.yaml", bed.text)
    assert "flash-attn" in result.stderr and "2.9.9" in result.stderr


def test_torch_and_cuda_that_do_not_fit(bed):
    """A row whose torch is made for another CUDA than its name says is no row."""
    bed.varve.write("linnaeus.yaml", bed.text.replace("cuda-runtime: nvidia-cuda-runtime-cu12==12.6.*", "cuda-runtime: nvidia-cuda-runtime-cu12==12.8.*", 1))
    result = bed.build(rc=2).result
    bed.varve.write("linnaeus.yaml", bed.text)
    assert "source \"torch\"" in result.stderr and "nvidia-cuda-runtime-cu12" in result.stderr


def test_a_disk_that_is_too_small(bed, ampere):
    """Said before the download, by the sizes that the lock names."""
    del ampere
    lock = bed.varve.path("linnaeus.lock.json")
    kept = lock.read_text()
    entry = next(one for source in json.loads(kept)["sources"] for one in source["artifacts"] if one["name"] == "wandb")
    lock.write_text(kept.replace(f'"size":{entry["size"]},"sha256":"{entry["sha256"]}"', f'"size":900000000000000,"sha256":"{"0" * 64}"'))
    before = len(bed.index.requests)
    result = bed.build("--branch", bed.app.good, rc=3).result
    lock.write_text(kept)
    assert "900.0 TB are still to be fetched" in result.stderr and "--store" in result.stderr
    assert len(bed.index.requests) == before


def test_an_nvcc_that_does_not_work_with_the_compiler(bed):
    """Said by a step of seconds, before Flash Attention."""
    script = "#!/bin/sh\necho 'error: -- unsupported GNU version! gcc versions later than 13 are not supported!' >&2\nexit 1\n"
    build = bed.build("--branch", bed.app.good, *bed.cuda_image(script, "cuda-too-old"), rc=1)
    assert "unsupported GNU version" in build.result.stderr and "toolkit/try" in build.result.stderr
    assert "base/flash-attention" not in build.ran


def test_a_commit_without_a_project_file(bed, ampere):
    del ampere
    commit = bed.app.variant({"pyproject.toml": None})
    result = bed.build("--branch", commit, rc=1).result
    assert f"commit {commit} has no pyproject.toml" in result.stderr


# --- the real thing ------------------------------------------------------------------------------

NEEDED = 16 << 30  # of disk: wheels 3.0 GB, packages 0.3, trees 6.5, layers 2.9


def build_turing(varve, server, app):
    """Builds the row with real packages from the registries of this host, locked anew. Returns the seconds it took, what it
    took of the disk beyond what was fetched, in parts of what the result takes, and the images."""
    shutil.copy(RECIPE, varve.directory)
    options = ["linnaeus.yaml", "--arch", "turing", "--repository", server.url("app/.git"), "--branch", app.good]
    lock_today(varve, *options)
    begun = time.monotonic()
    varve("fetch", *options, timeout=3600)
    times, fetched, blobs = {"fetch": time.monotonic() - begun}, used(varve.store), used(varve.store / "blobs")
    begun = time.monotonic()
    with Peak(varve.store) as peak:
        result = varve("build", *options, "--offline", "--max-jobs", "2", timeout=3600)
    times["build"] = time.monotonic() - begun
    result_takes = used(varve.store / "trees") + used(varve.store / "blobs") - blobs
    return times, (peak.bytes - fetched) / result_takes, dict(reversed(line.split(" ", 1)) for line in result.stdout.splitlines())


@pytest.mark.slow
def test_the_turing_row_whole(as_user, tmp_path):
    """Real torch, real nvcc: built, valid, the broken tip told from it; by two accounts the same bytes."""
    need("git")
    if shutil.disk_usage("/tmp").free < NEEDED:
        pytest.skip(f"less than {NEEDED >> 30} GiB of disk in /tmp")
    users = {name: as_user(name) for name in ("root", "one")}
    app = Application(tmp_path / "app")
    server = GitServer(tmp_path)
    digests = []
    for name, varve in users.items():
        times, disk, built = build_turing(varve, server, app)
        base, runtime = f"{BASE}:{ROWS['turing']}", f"{RUNTIME}:{app.good[:12]}-turing"
        print(f"turing row by {name}: fetch {times['fetch']:.0f} s, build {times['build']:.0f} s, peak of disk {disk:.3f} x content and blobs")
        assert set(built) == {base, runtime} and disk < 1.05
        digests.append(built)
        if name == "root":
            check_turing(varve, server, app, runtime)
            assert varve("audit", base, timeout=3000).stdout.endswith("equal\n")
        varve.account.close()
    server.close()
    assert digests[0] == digests[1]


# Programs and libraries that a base has to have, whatever brings them.
CONTENT = """set -e
for one in gcc g++ make git curl unzip rclone python python3 python3.11 uv ninja nvcc; do command -v $one >/dev/null || echo $one; done
for one in libglib-2.0.so.0 libgthread-2.0.so.0 libSM.so.6 libXext.so.6 libfontconfig.so.1 libXrender.so.1 libGL.so.1; do
	/sbin/ldconfig -p | grep -q $one || echo $one
done
for one in /usr/include/python3.11/Python.h $CUDA_HOME/include/cuda_runtime.h $CUDA_HOME/include/cublas_v2.h $CUDA_HOME/lib64/libcudart.so; do
	[ -e $one ] || echo $one
done
python3.11 -m venv /tmp/venv
python -c 'import torch, torchvision, torchaudio'
"""


def check_turing(varve, server, app, runtime):
    assert varve("run", f"{BASE}:{ROWS['turing']}", "sh", "-c", CONTENT, timeout=300).stdout == ""
    rows = varve("validate", runtime, "--json", timeout=600).json()
    assert [row["verdict"] for row in rows] == ["ok"] * 7 + ["skipped"] * 3, rows
    history = [one.get("created_by", "") for one in Image(varve.store, runtime).config["history"]]
    for part in ("torch: torch", "torch: nvidia-cudnn-cu12", "torch: triton", "toolkit:/usr/local/cuda", "dependencies"):
        assert [line for line in history if part in line], (part, history)
    options = ["linnaeus.yaml", "--arch", "turing", "--repository", server.url("app/.git")]
    begun = time.monotonic()
    varve("build", *options, timeout=600)
    print(f"another commit: {time.monotonic() - begun:.2f} s with the git fetch")
    begun = time.monotonic()
    varve("build", *options, "--locked", timeout=600)
    print(f"nothing changed: {1000 * (time.monotonic() - begun):.0f} ms")
    result = varve("validate", f"{RUNTIME}:{app.tip[:12]}-turing", rc=1, timeout=600)
    assert "SyntaxError" in result.stdout and "2 of 7 checks failed" in result.stderr
