# SPDX-License-Identifier: Apache-2.0
"""The oracle: the same .debs installed by their own dpkg as real root in a chroot, with the host's dpkg-deb and tar to
start from, and nothing of varve's. Needs root, and the right to make device nodes."""
import os
import re
import shutil
import subprocess

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
               "LANG": "C.UTF-8", "TZ": "UTC", "DEBIAN_FRONTEND": "noninteractive"}
# What a step's sandbox has, by real root: own namespaces, empty /tmp and /run, a bare /dev, no network.
INSIDE = r"""set -e
python3 -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh22x", b"lo", 1))' # up
hostname build; mount -t proc proc "$1/proc"; mount -t tmpfs -o mode=755 dev "$1/dev"
for node in null zero full random urandom tty; do touch "$1/dev/$node"; mount --bind "/dev/$node" "$1/dev/$node"; done
ln -s /proc/self/fd "$1/dev/fd"; mkdir "$1/dev/shm"; ln -s fd/0 "$1/dev/stdin"; ln -s fd/1 "$1/dev/stdout"; ln -s fd/2 "$1/dev/stderr"
mount -t tmpfs -o mode=1777 tmp "$1/tmp"; mount -t tmpfs -o mode=755 run "$1/run"; mount --bind "$2" "$1/mnt"
exec chroot "$1" sh -euc "cd /mnt; $3" sh
"""
DPKG = "dpkg --force-unsafe-io --force-confdef --force-confold --log=/dev/null"


def possible():
    """None, or why there is no such oracle here."""
    if os.getuid() != 0:
        return "needs root: the oracle is dpkg in a chroot, run by real root"
    missing = [program for program in ("dpkg-deb", "unshare", "tar") if not shutil.which(program)]
    return f"{missing[0]} is missing" if missing else None


class Root:
    """A directory that packages are installed in. epoch: SOURCE_DATE_EPOCH of all that runs."""

    def __init__(self, directory, epoch):
        self.path, self.pool = directory / "root", directory / "debs"
        self.environment = {**ENVIRONMENT, "SOURCE_DATE_EPOCH": str(epoch)}
        self.pool.mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            (self.path / "usr" / name).mkdir(parents=True)
            (self.path / name).symlink_to(f"usr/{name}")
        for name in ("dev", "proc", "mnt", "tmp", "run"):
            (self.path / name).mkdir()

    def run(self, script):
        """Shell text as root in the chroot, in the directory of the packages."""
        done = subprocess.run(["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "sh", "-c", INSIDE, "sh",
                               self.path, self.pool, script], check=False, capture_output=True, text=True, umask=0o022,
                              timeout=300, stdin=subprocess.DEVNULL, env=self.environment, errors="replace")
        assert done.returncode == 0, f"the oracle failed: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def unpack(self, deb):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as tar:
            subprocess.run(["tar", "-xp", "--numeric-owner", "--keep-directory-symlink", "-C", self.path], stdin=tar.stdout, check=True)

    def bootstrap(self, essential):
        """[(name, path)]: laid out, then installed over themselves."""
        for _, deb in essential:
            self.unpack(deb)
        for name in ("info", "updates", "triggers"):
            (self.path / "var/lib/dpkg" / name).mkdir(parents=True, exist_ok=True)
        for name in ("status", "available"):
            (self.path / "var/lib/dpkg" / name).touch()
        self.install([essential], "--force-depends")

    def install(self, batches, *options):
        """Lists of (name, path), each a run of dpkg; no service is started."""
        policy, hostname = self.path / "usr/sbin/policy-rc.d", self.path / "etc/hostname"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        hostname.write_text("build\n")
        for _, deb in (one for batch in batches for one in batch):
            shutil.copy(deb, self.pool / (deb.name + ".deb"))
        self.run("\n".join(f"{DPKG} {' '.join(options)} --install {' '.join(deb.name + '.deb' for _, deb in batch)}" for batch in batches))
        policy.unlink()
        hostname.unlink()


def in_batches(packages):
    """Splits (name, path), sorted by dependency, where one must be configured before the next is unpacked."""
    batches = [[]]
    for name, deb in packages:
        field = subprocess.run(["dpkg-deb", "--field", deb, "Pre-Depends"], check=True, capture_output=True, text=True).stdout
        if {re.split(r"[ :(]", one.strip())[0] for one in re.split(r"[,|]", field)} & {one for one, _ in batches[-1]}:
            batches.append([])
        batches[-1].append((name, deb))
    return [batch for batch in batches if batch]
