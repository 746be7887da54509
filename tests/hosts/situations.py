# SPDX-License-Identifier: Apache-2.0
"""Situations in which people find themselves, what works in each, and how it is made. The README's
table says the same: test_situations.py compares the two, and tries each row for real."""
import dataclasses
import os
import pathlib
import pwd
import re
import subprocess
import tempfile

import accounts

SECCOMP = r"commands cannot run on this host: .*seccomp profile.* forbids"
NO_ROOT = "--isolation chroot needs root with CAP_SYS_CHROOT"
DIRECTORY = "/var/tmp"  # not /tmp, which is part of some situations


@dataclasses.dataclass(frozen=True)
class Situation:
    name: str
    label: str  # in the README
    account: str  # root, subuid, one; unknown: a uid that is not in /etc/passwd
    confine: tuple = ()  # options of tests/hosts/confine
    setup: str = ""  # shell, as root in a mount namespace of its own; $D is the project's directory
    unset: tuple = ()  # variables of the environment
    home: str = ""  # HOME instead of the account's; "-": not set
    # what works:
    commands: bool = True  # run, install, varve run, shell, validate
    message: str = ""  # pattern of the first line where they do not
    chroot: bool = None  # with --isolation chroot; None: not tried
    remark: str = ""  # in the README
    needs: str = ""  # what the host that runs the tests must have: a function below

    def works(self):
        if self.commands:
            return "yes"
        return "with `--isolation chroot`; else exit 3" if self.chroot else "exit 3"

    def row(self):
        return f"| {self.label} | yes | {self.works()} | {self.remark} |"


ROWS = (
    Situation("root", "root", "root", chroot=True, remark="exact owners"),
    Situation("subuid", "a user with a range in /etc/subuid and /etc/subgid", "subuid", chroot=False,
              remark="exact owners, equal to root's"),
    Situation("one id", "a user with one id only", "one", chroot=False, needs="one_id",
              remark="exact owners, kept as records by a seccomp supervisor"),
    Situation("one id, listener taken", "the same where a seccomp listener is taken (WSL2, some runtimes)", "one",
              confine=("--listener", "held"), chroot=False, needs="one_id",
              remark="owners are lost, with a warning; `ownership: strict` refuses"),
    Situation("one id, listener denied", "the same where seccomp listeners are forbidden", "one",
              confine=("--listener", "denied"), chroot=False, needs="one_id",
              remark="owners are lost, with a warning; `ownership: strict` refuses"),
    Situation("docker root", "root in a container: no CAP_SYS_ADMIN, Docker's default seccomp profile", "root",
              confine=("--docker",), commands=False, message=SECCOMP, chroot=True,
              remark="the message names the container's flags"),
    Situation("docker user", "a user in such a container", "subuid", confine=("--docker",), commands=False,
              message=SECCOMP, chroot=False, remark="the message names the container's flags"),
    Situation("docker unknown user", "a uid without a name in such a container, HOME not set", "unknown",
              confine=("--docker",), home="-", commands=False, message=SECCOMP, chroot=False,
              remark="the store needs `--store` or `VARVE_STORE`"),
    Situation("unknown user", "a uid that is not in /etc/passwd", "unknown", home="-", chroot=False, needs="one_id",
              remark="as with one id"),
    Situation("no namespaces", "user namespaces switched off (user.max_user_namespaces=0)", "subuid",
              confine=("--no-namespaces",), commands=False, chroot=False,
              message="commands cannot run on this host: user namespaces are (switched off|nested too deep, or none is left)",
              remark="the message names the sysctl"),
    Situation("read-only home", "a read-only home directory", "subuid",
              setup="mount -t tmpfs none /home; mount -o remount,ro /home", home="/home",
              remark="the store needs `--store` or `VARVE_STORE`"),
    Situation("no home", "HOME not set", "subuid", home="-", remark="the store needs `--store` or `VARVE_STORE`"),
    Situation("noexec /tmp", "/tmp mounted noexec", "subuid",
              setup="mount --bind /tmp /tmp; mount -o remount,bind,noexec,nosuid,nodev /tmp", remark="no difference"),
    Situation("no /dev/shm", "no /dev/shm", "subuid", setup="mount -t tmpfs none /dev/shm; umount -l /dev/shm; "
              "mkdir -p $D/dev; for d in null zero full random urandom tty; do touch $D/dev/$d; "
              "mount --bind /dev/$d $D/dev/$d; done; mount --rbind $D/dev /dev; test ! -e /dev/shm", remark="no difference"),
    Situation("memory limit", "under `nice` and a memory limit of 256 MiB", "subuid", needs="memory_cgroup",
              setup="echo $$ >$CGROUP/cgroup.procs; renice -n 10 -p $$ >/dev/null",
              remark="no difference"),
    Situation("store on overlay", "the store on overlayfs, as in a container without a volume", "root",
              setup="mkdir -p $D/l $D/u $D/w $D/store; "
              "mount -t overlay none -o lowerdir=$D/l,upperdir=$D/u,workdir=$D/w $D/store",
              remark="steps work in /var/tmp if that can hold an overlay; else trees are copied, which is slower"),
    Situation("store on overlay, subuid", "the same as a user with a range", "subuid",
              setup="mkdir -p $D/l $D/u $D/w $D/store; chown $U $D/l $D/u; "
              "mount -t overlay none -o lowerdir=$D/l,upperdir=$D/u,workdir=$D/w $D/store",
              remark="steps work in /var/tmp if that can hold an overlay; else trees are copied, which is slower"),
    Situation("no /proc", "no /proc", "root", setup="mount -t tmpfs none /proc", commands=False, chroot=False,
              message="commands cannot run on this host: no /proc is mounted",
              remark="copies of sources only; the message says what to mount"),
)


def find(name):
    return next(row for row in ROWS if row.name == name)


def unknown_uid():
    known = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(54321, 60000) if uid not in known)


def memory_cgroup(account):
    """A group with a limit; both versions of the interface."""
    for top, limit in ((pathlib.Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
                       (pathlib.Path("/sys/fs/cgroup"), "memory.max")):
        group = top / f"varve-test-{os.getpid()}-{id(account)}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(256 << 20))
        except OSError:
            group.rmdir()
            continue
        account.cgroup = group
        return
    raise accounts.Unavailable("no cgroup with a memory limit can be made here")


def one_id(account):
    """Until accounts with one id can build there is nothing to try."""
    program = [account.tools / "varve", "doctor", "--store", account.directory() / "probe"]
    done = account.run(program)
    if "cannot do without" in done.stdout + done.stderr:
        raise accounts.Unavailable("this varve cannot run commands with one id yet")


class Placed(accounts.Account):
    """An account in a situation. All is made by root: what an account would do to itself is no situation."""

    def __init__(self, situation, tools):
        if os.getuid() != 0:
            raise accounts.Unavailable("only root can make the situation")
        self.situation, self.tools, self.cgroup, self.varve = situation, tools, None, None
        if situation.account == "unknown":
            self.uid = self.gid = unknown_uid()
            self.name, self.home, self.directories = str(self.uid), "/", []
        else:
            super().__init__(accounts.find(situation.account).name)
        self.ours = self.uid == 0
        if situation.needs:
            globals()[situation.needs](self)

    def directory(self):
        path = pathlib.Path(tempfile.mkdtemp(prefix="varve-host-", dir=DIRECTORY))
        path.chmod(0o755)
        os.chown(path, self.uid, self.gid)
        self.directories.append(path)
        return path

    def environment(self, extra=None):
        environment = super().environment(extra)
        if self.situation.home == "-":
            environment.pop("HOME")
        elif self.situation.home:
            environment["HOME"] = self.situation.home
        return environment

    def command(self, argv):
        ids = ["--ids", f"{self.uid}:{self.gid}"] if self.uid else []
        inner = [self.tools / "confine", *self.situation.confine, *ids, "--", *argv]
        return [str(word) for word in [*self.outside(), *inner]]

    def outside(self):
        if not self.situation.setup:
            return []
        directory = self.varve.directory if self.varve else self.directories[0]
        words = {"D": directory, "U": f"{self.uid}:{self.gid}", "CGROUP": self.cgroup}
        setup = re.sub(r"\$([A-Z]+)", lambda match: str(words[match[1]]), self.situation.setup)
        return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", setup + '\nexec "$@"', "sh"]

    def close(self):
        super().close()
        if self.cgroup:
            try:
                self.cgroup.rmdir()
            except OSError:  # processes that just ended are counted a moment longer
                subprocess.run(["sleep", "0.5"], check=False)
                self.cgroup.rmdir()
