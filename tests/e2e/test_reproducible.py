# SPDX-License-Identifier: Apache-2.0
"""The rules of varve-reproducible(7): each is made to happen by the tools themselves, named by varve diff, and cured.

A rule is two shell scripts, each run twice in directories of their own, with N=1 and N=2. What the first leaves in "out"
must differ between the two, by the rule that is named; what the second leaves must be equal."""
import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import TOP
from diff_images import image, tar_of

C = 'cat >x.c <<"E"\n%s\nE\n'
DATED = C % 'const char *made(void) { return __DATE__ " " __TIME__; }'
PLAIN = C % "int answer(void) { return 42; }\nint main(void) { return answer(); }"
NAMED = C % "const char *name(void) { return __FILE__; }"
PYTHON = "mkdir -p p && printf 'def f():\\n    return 1\\n' >p/m.py && touch -d @$((1700000000 + N)) p/m.py\n"
OBJECTS = PLAIN + "gcc -c -o b.o x.c && gcc -O2 -c -o a.o x.c && touch -d @$((1000 + N)) a.o b.o\n"
FILES = "printf one >a && printf two >b && touch -d @$((1000000000 + N * 10)) a b\n"
ORDER = 'if [ $N = 1 ]; then set -- a b; else set -- b a; fi\n'
REPOSITORY = """export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
git init -q -b main r && cd r && printf 'a\\nb\\n' >text && git add text
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_AUTHOR_DATE=@1000000000Z
GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_COMMITTER_DATE=@1000000000Z git commit -q -m one && cd ..
"""
PACKAGE = """mkdir -p p/DEBIAN root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/log
printf 'Package: x\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: x\\n' >p/DEBIAN/control
dpkg-deb -b p x.deb >made 2>&1; : >root/var/lib/dpkg/status
dpkg --force-not-root --force-bad-path --root="$PWD/root" --log="$PWD/root/var/log/dpkg.log" --unpack x.deb >made 2>&1
"""
JOBS = """[ $N = 1 ] && a=0 b=0.3 || a=0.3 b=0
printf 'a:\\n\\t@sleep '$a'; %s\\nb:\\n\\t@sleep '$b'; %s\\n' >Makefile
"""
SHADOW = """mkdir -p d/etc && cp /etc/login.defs d/etc 2>made || :
printf 'root:x:0:0::/:/bin/sh\\n' >d/etc/passwd; printf 'root:x:0:\\n' >d/etc/group; printf 'root:*:1:0:::::\\n' >d/etc/shadow
: >d/etc/gshadow
"""
ALTERNATIVES = """mkdir alt adm s; cat=/bin/cat; other=/bin/sh; [ $N = 1 ] || { cat=/bin/sh; other=/bin/cat; }
for program in $cat $other; do
	update-alternatives --quiet --log made --altdir $PWD/alt --admindir $PWD/adm --install $PWD/s/tool tool $program 10
done
%s
"""
APT = """mkdir -p lists/partial cache/archives/partial etc && : >status
apt-cache -c /dev/null -o Dir::Etc=$PWD/etc -o Dir::State::lists=$PWD/lists -o Dir::State::status=$PWD/status -o Dir::Cache=$PWD/cache -o Dir::Cache::pkgcache=pkgcache.bin \\
	gencaches >made 2>&1
"""
LIBRARY = PLAIN + """mkdir -p r/lib r/etc r/var/cache/ldconfig && echo /lib >r/etc/ld.so.conf
gcc -shared -nostdlib -Wl,-soname,libx.so.1 -o r/lib/libx.so.1 x.c && /sbin/ldconfig -r r
"""

# id: (path in the image, class, script, script with the cure)
RULES = {
    "timestamp": (None, "content", "date -u -d @$((1700000000 + N * 99999)) >out", "SOURCE_DATE_EPOCH=1; date -u -d @$SOURCE_DATE_EPOCH >out"),
    "build-path": (None, "content", "echo source=$PWD/x.c >out", "echo source=./x.c >out"),
    "temporary-name": (None, "content", "echo log is $(mktemp -u) >out", "echo log is log >out"),
    "host-name": (None, "content", "echo built by user$N@$(uname -n) >out", "echo built by nobody@localhost >out"),
    "random": (None, "content", "cat /proc/sys/kernel/random/uuid >out", "echo the content | sha256sum >out"),
    "process-id": (None, "content", "echo run $((100000 + $$)) >out", "echo run >out"),
    "line-order": (None, "content", "PYTHONHASHSEED=$N python3 -c 'print(*{str(i) for i in range(99)}, sep=chr(10))' >out",
                   "PYTHONHASHSEED=0 python3 -c 'print(*{str(i) for i in range(99)}, sep=chr(10))' >out"),
    # As in en_US.UTF-8, which need not be installed: no case, no punctuation.
    "line-order: jobs of make": (None, "content", JOBS.replace("%s", "echo $@ >>out") + "make -sj2 a b", JOBS.replace("%s", "echo $@ >$@") + "make -sj2 a b && cat a b >out"),
    "line-order: names in JSON": ("names.json", "content", "PYTHONHASHSEED=$N python3 -c 'import json; print(json.dumps(list(set(\"abcdefgh\"))))' >out",
                                  "PYTHONHASHSEED=$N python3 -c 'import json; print(json.dumps(sorted(set(\"abcdefgh\"))))' >out"),
    "locale-sort": (None, "content", "flags=; [ $N = 1 ] || flags=-df; printf 'b\\nA\\nB.c\\na\\n' | LC_ALL=C sort $flags >out",
                    "printf 'b\\nA\\nB.c\\na\\n' | LC_ALL=C sort >out"),
    "line-ends": (None, "content", REPOSITORY + "crlf=false; [ $N = 1 ] || crlf=true; git -c core.autocrlf=$crlf clone -q r c && cp c/text out",
                  REPOSITORY + "git -c core.autocrlf=false clone -q r c && cp c/text out"),
    "json-order": ("json-order.json", "stamp", ORDER + """python3 -c 'import json, sys; print(json.dumps({k: 1 for k in sys.argv[1:]}))' "$@" >out""",
                   ORDER + """python3 -c 'import json, sys; print(json.dumps({k: 1 for k in sys.argv[1:]}, sort_keys=True))' "$@" >out"""),
    "gcc-date": (None, "content", DATED + "SOURCE_DATE_EPOCH=$((1700000000 + N * 99999)) gcc -c -o out x.c",
                 DATED + "SOURCE_DATE_EPOCH=1700000000 gcc -c -o out x.c"),
    "gcc-path": (None, "content", NAMED + "gcc -g -c -o out $PWD/x.c", NAMED + "gcc -g -ffile-prefix-map=$PWD=. -c -o out $PWD/x.c"),
    "gcc-seed": (None, "content", PLAIN + "gcc -flto -c -o out x.c", "mkdir -p ../fixed && cd ../fixed\n" + PLAIN + "gcc -flto -frandom-seed=x.c -c -o $OLDPWD/out x.c"),
    "build-id": (None, "stamp", PLAIN + "gcc -shared -nostdlib -Wl,--build-id=uuid -o out x.c", PLAIN + "gcc -shared -nostdlib -Wl,--build-id=sha1 -o out x.c"),
    "compiler-version": (None, "stamp", PLAIN + "gcc -c -o y.o x.c && echo compiler $N >c && objcopy --update-section .comment=c y.o out",
                         PLAIN + "gcc -c -o out x.c"),
    "debug-link": (None, "stamp", PLAIN + "gcc -shared -nostdlib -Wl,--build-id=none -o y x.c && echo $N >y.debug && objcopy --add-gnu-debuglink=y.debug y out",
                   PLAIN + "gcc -shared -nostdlib -Wl,--build-id=none -o y x.c && echo >y.debug && objcopy --add-gnu-debuglink=y.debug y out"),
    # What nvcc gives to the host's compiler, whose name of the file becomes a symbol; nvcc itself: test_nvcc.
    "nvcc": (None, "content", PLAIN + "f=tmpxft_$(printf %08x $((4711 + N)))_00000000-6_k.cudafe1; cp x.c $f.c && gcc -c -o out $f.c",
             PLAIN + "cp x.c k.cudafe1.c && gcc -c -o out k.cudafe1.c"),
    "ar-stamp": (None, "stamp", OBJECTS + "ar rcU out a.o b.o", OBJECTS + "ar rcD out a.o b.o"),
    "ar-order": (None, "content", OBJECTS + ORDER + "ar rcD out $1.o $2.o", OBJECTS + "ar rcD out $(ls *.o | LC_ALL=C sort)"),
    "gzip-stamp": (None, "stamp", FILES + "gzip -c a >out", FILES + "gzip -nc a >out"),
    "zip-stamp": (None, "stamp", FILES + "python3 -m zipfile -c out a b", FILES + "touch -d @1000000000 a b && TZ=UTC python3 -m zipfile -c out a b"),
    "tar-stamp": (None, "stamp", FILES + "tar -cf out a b", FILES + "tar --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner -cf out a b"),
    "member-order": (None, "stamp", FILES + ORDER + 'tar --mtime=@1 -cf out "$@"', FILES + "mkdir d && mv a b d && tar --sort=name --mtime=@1 -cf out -C d ."),
    "pyc-time": ("m.pyc", "stamp", PYTHON + "python3 -m compileall -q -s p p && mv p/__pycache__/*.pyc out",
                 PYTHON + "python3 -m compileall -q -s p --invalidation-mode checked-hash p && mv p/__pycache__/*.pyc out"),
    "pyc-path": ("d/m.pyc", "content", PYTHON + "python3 -m compileall -q --invalidation-mode checked-hash $PWD/p && mv p/__pycache__/*.pyc out",
                 PYTHON + "python3 -m compileall -q --invalidation-mode checked-hash -s $PWD/p -p /usr/lib/p $PWD/p && mv p/__pycache__/*.pyc out"),
    "pyc-flags": ("f.pyc", "content", PYTHON + "[ $N = 1 ] || export SOURCE_DATE_EPOCH=1; python3 -m compileall -q -s p p && mv p/__pycache__/*.pyc out",
                  PYTHON + "export SOURCE_DATE_EPOCH=1; python3 -m compileall -q -s p p && mv p/__pycache__/*.pyc out"),
    # Another Python is rarely at hand: its magic number is enough.
    "pyc-version": ("v.pyc", "content", PYTHON + "python3 -m compileall -q -s p --invalidation-mode checked-hash p && mv p/__pycache__/*.pyc out\n"
                    "[ $N = 1 ] || printf '\\001' | dd of=out bs=1 conv=notrunc status=none",
                    PYTHON + "python3 -m compileall -q -s p --invalidation-mode checked-hash p && mv p/__pycache__/*.pyc out"),
    "git-state": ("srv/.git/index", "content", REPOSITORY + "sleep 0.0$N; git clone -q r c && cp c/.git/index out", REPOSITORY + "git -C r archive -o $PWD/out HEAD"),
    "git-pack": ("srv/.git/objects/pack/p.pack", "content", REPOSITORY + "git -C r -c pack.compression=$((N * 8 - 8)) repack -qad && cp r/.git/objects/pack/*.pack out",
                 REPOSITORY + "git -C r archive -o $PWD/out HEAD"),
    "ninja-log": ("build/.ninja_log", "content", "printf 'rule c\\n command = sleep 0.0%s; cp $in $out\\nbuild o: c i\\n' $N >build.ninja; : >i\nninja >made && cp .ninja_log out",
                  "printf 'rule c\\n command = sleep 0.0%s; cp $in $out\\nbuild o: c i\\n' $N >build.ninja; : >i\nninja >made && rm .ninja_log; cp o out"),
    "dpkg-log": ("var/log/dpkg.log", "content", PACKAGE + "sed \"s/ [0-9:]* / 0$N:00:00 /\" root/var/log/dpkg.log >out", PACKAGE + "rm root/var/log/*; cp root/var/lib/dpkg/status out"),
    "dpkg-status-order": ("var/lib/dpkg/status", "stamp", ORDER + 'for p; do printf "Package: %s\\nStatus: install ok installed\\n\\n" $p; done >out',
                          ORDER + 'for p in $(printf "%s\\n" "$@" | sort); do printf "Package: %s\\nStatus: install ok installed\\n\\n" $p; done >out'),
    "apt-cache": ("var/cache/apt/pkgcache.bin", "content", APT + "cp cache/pkgcache.bin out", APT + "rm cache/*.bin; ls cache >out"),
    "ldconfig-cache": ("var/cache/ldconfig/aux-cache", "content", LIBRARY + "cp r/var/cache/ldconfig/aux-cache out",
                       LIBRARY + "rm r/var/cache/ldconfig/aux-cache; ls r/var/cache/ldconfig >out"),
    "machine-id": ("etc/machine-id", "content", "tr -d - </proc/sys/kernel/random/uuid >out", ": >out"),
    "shadow-day": ("etc/shadow", "content", SHADOW + "echo x:!:$((19000 + N)):0:99999:7::: >>d/etc/shadow; cp d/etc/shadow out",
                   SHADOW + "echo x:!:$((1700000000 / 86400)):0:99999:7::: >>d/etc/shadow; cp d/etc/shadow out"),
    "sqlite-stamp": (None, "stamp", """python3 -c 'import sqlite3; d = sqlite3.connect("out"); d.execute("CREATE TABLE t (a)"); d.commit()
for i in range('$N'): d.execute("INSERT INTO t VALUES (1)"); d.commit(); d.execute("DELETE FROM t"); d.commit()'""",
                     """python3 -c 'import sqlite3; d = sqlite3.connect("x"); d.execute("CREATE TABLE t (a)"); d.commit()
for i in range('$N'): d.execute("INSERT INTO t VALUES (1)"); d.commit(); d.execute("DELETE FROM t"); d.commit()
d.execute("VACUUM INTO \\"out\\"")'"""),
}

# The same for whole layers: "out" is the layer's tar, which GNU tar writes. id: (class, script, script with the cure)
TREE = "mkdir t && cd t && (umask 022; printf one >a; printf two >b) && touch -d @1000 a b && cd ..\n"
TAR = "tar --format=gnu --mtime=@1000 --owner=0 --group=0 --numeric-owner -cf out -C t"
LAYERS = {
    "entry-order": ("order", TREE + ORDER + TAR + ' "$@"', TREE + TAR + " --sort=name a b"),
    "tar-headers": ("encoding", TREE + "[ $N = 1 ] && f=gnu || f=ustar; " + TAR + " --format=$f a b", TREE + TAR + " --format=ustar a b"),
    "file-time": ("time", TREE + "touch -d @$((2000 + N)) t/a; tar --owner=0 --group=0 -cf out -C t a b",
                  TREE + "touch -d @$((2000 + N)) t/a; SOURCE_DATE_EPOCH=1500; tar --mtime=@$SOURCE_DATE_EPOCH --clamp-mtime --owner=0 --group=0 -cf out -C t a b"),
    "owner": ("owner", TREE + TAR + " --owner=$N a b", TREE + TAR + " --owner=0 a b"),
    "umask": ("mode", "[ $N = 1 ] || umask 077; mkdir t; echo >t/a; " + TAR + " a", "umask 022; mkdir t; echo >t/a; " + TAR + " a"),
    "alternatives": ("link", ALTERNATIVES % "" + "mkdir -p t/etc && mv alt t/etc/alternatives && " + TAR + " etc/alternatives",
                     ALTERNATIVES % "update-alternatives --quiet --log made --altdir $PWD/alt --admindir $PWD/adm --set tool /bin/cat"
                     + "mkdir -p t/etc && mv alt t/etc/alternatives && " + TAR + " etc/alternatives"),
}


def run_script(directory, number, script):
    """What it leaves in "out"."""
    directory.mkdir(parents=True)
    environment = {"N": number, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "HOME": str(directory)}
    done = subprocess.run(["sh", "-ec", script], cwd=directory, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{directory}: {done.stderr}"
    return (directory / "out").read_bytes()


def run_scripts(top, which):
    """{id: [data of both runs]}; the two directories of a rule have names of different lengths."""
    result = {}
    for rule, row in RULES.items():
        script = row[2 if which == "wild" else 3]
        result[rule] = [run_script(top / which / rule / name, number, script) for number, name in (("1", "a"), ("2", "bbb"))]
    return result


def compare(binary, top, files):
    """varve diff of two images with one file per rule: {path: the difference}"""
    names = [image(top / f"image{i}", [tar_of({path_of(rule): {"data": data[i]} for rule, data in files.items()})]) for i in (0, 1)]
    done = subprocess.run([binary, "diff", "--json", *names], env={"VARVE_STORE": str(top / "store")}, capture_output=True)
    assert done.returncode in (0, 5), done.stderr
    return {one["path"]: one for one in json.loads(done.stdout)["differences"] if one["field"] == "content"}


def path_of(rule):
    return RULES[rule][0] or rule.replace(": ", "-").replace(" ", "-")


@pytest.fixture(scope="module")
def wild(binary, tmp_path_factory):
    top = tmp_path_factory.mktemp("wild")
    return compare(binary, top, run_scripts(top, "wild"))


@pytest.fixture(scope="module")
def cured(binary, tmp_path_factory):
    top = tmp_path_factory.mktemp("cured")
    return compare(binary, top, run_scripts(top, "cured"))


@pytest.mark.parametrize("rule", RULES)
def test_rule_is_named_and_cured(wild, cured, rule):
    one = wild[path_of(rule)]
    assert (one["class"], one.get("rule")) == (RULES[rule][1], rule.split(":")[0]), one
    assert path_of(rule) not in cured, cured[path_of(rule)]


@pytest.mark.parametrize("rule", LAYERS)
def test_rule_of_layers_is_named_and_cured(varve, tmp_path, rule):
    class_, *scripts = LAYERS[rule]
    for which, script in zip(("wild", "cured"), scripts):
        tars = [run_script(tmp_path / which / name, number, script) for number, name in (("1", "a"), ("2", "bbb"))]
        names = [image(varve.path(which, str(i)), [tar]) for i, tar in enumerate(tars)]
        told = varve("diff", "--json", *names, rc=5 if which == "wild" else 0).json()["differences"]
        assert {(one["class"], one.get("rule")) for one in told} == ({(class_, rule)} if which == "wild" else set()), told


def test_rules_of_images(varve):
    """compressor, image-date, whiteout-form: the image is made, not its files."""
    def told(one, other):
        differences = varve("diff", "--json", one, other, rc=None).json()["differences"]
        return {(each["class"], each.get("rule")) for each in differences}
    tar = tar_of({"a": {"data": b"a" * 9999}})
    fast, best = image(varve.path("1"), [tar], compress=1), image(varve.path("2"), [tar], compress=9)
    assert told(fast, best) == {("compression", "compressor")}
    assert told(fast, image(varve.path("3"), [tar], compress=1)) == set()
    later = image(varve.path("4"), [tar], {"created": "2027-01-01T00:00:00Z"}, compress=1)
    assert told(fast, later) == {("time", "image-date")}
    below, directory = tar_of({"d/": {"type": b"5"}, "d/x": {}}), {"d/": {"type": b"5"}}
    forms = [tar_of({**directory, name: {}}) for name in ("d/.wh.x", "d/.wh..wh..opq")]
    opaque, listed = (image(varve.path(f"w{i}"), [below, form]) for i, form in enumerate(forms))
    assert told(opaque, listed) == {("encoding", "whiteout-form")}
    assert varve("diff", "--semantic", opaque, listed).stdout == ""


def test_nvcc(binary, tmp_path):
    """What the stand-in above stands for, where there is a CUDA toolkit."""
    if not shutil.which("nvcc"):
        pytest.skip("nvcc is missing")
    source = 'cat >k.cu <<"E"\nstatic __global__ void f(int *x) { *x = 1; }\nvoid g(int *x) { f<<<1, 1>>>(x); }\nE\n'
    files = {"nvcc": [run_script(tmp_path / "wild" / n, n, source + "nvcc -c -o out k.cu") for n in "12"]}
    assert compare(binary, tmp_path / "x", files)["nvcc"]["rule"] == "nvcc"
    fixed = "mkdir -p ../fixed && cd ../fixed\n" + source + "NVCC_APPEND_FLAGS=--objdir-as-tempdir nvcc -c -o k.o k.cu && mv k.o $OLDPWD/out"
    files = {"nvcc": [run_script(tmp_path / "cured" / n, n, fixed) for n in "12"]}
    assert files["nvcc"][0] == files["nvcc"][1]


def test_every_rule_is_tried_and_documented():
    source = (TOP / "src/audit/cure.c").read_text()
    rules = re.findall(r'\[CURE_[A-Z_]+\] =\s*\{\s*"([a-z-]+)"', source)
    assert len(rules) > 40 and len(set(rules)) == len(rules)
    assert set(rules) == {*(rule.split(":")[0] for rule in RULES), *LAYERS, "compressor", "image-date", "whiteout-form"}
    page = (TOP / "src/man/varve-reproducible.7.scd").read_text().split("# RULES")[1]
    assert re.findall(r"^\*([a-z-]+)\*$", page, re.M) == rules, "one paragraph for each rule, in the order of the table"
