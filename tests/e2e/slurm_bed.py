# SPDX-License-Identifier: Apache-2.0
"""A Slurm cluster of one host: munged, slurmctld and two slurmd, all as one ordinary account, on loopback.

	def test_x(cluster):
		build = cluster.project.build("--executor", "slurm")
"""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

import accounts
import pytest
from conftest import TOP, need
from support import Project

sys.path.insert(0, str(TOP / "tests"))
from registry.real import free_port  # noqa: E402

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")


class Cluster:
    """What is given away at the end: daemons by pid, files with the account's directory."""

    def __init__(self, account, nodes=2, cores=2, more=""):
        self.account, self.nodes = account, [f"n{i + 1}" for i in range(nodes)]
        self.directory = account.directory()
        self.munge = self.directory / "munge"
        self.conf = self.directory / "slurm.conf"
        for name in ("munge", "state", "spool"):
            (self.directory / name).mkdir(mode=0o755)
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self.conf.write_text(self.configuration(cores) + more)
        account.own(self.directory)
        self.environment = {"SLURM_CONF": self.conf}
        self.project, self.mark = None, 0
        try:
            self.start(key)
        except BaseException:
            self.close()
            raise

    def configuration(self, cores):
        host, top = socket.gethostname(), self.directory
        nodes = [f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs={cores} "
                 "RealMemory=4000 State=UNKNOWN" for node in self.nodes]
        return "\n".join([
            "ClusterName=t", f"SlurmctldHost={host}(127.0.0.1)", f"SlurmctldPort={free_port()}",
            f"SlurmUser={self.account.name}", f"SlurmdUser={self.account.name}", "AuthType=auth/munge",
            f"AuthInfo=socket={self.munge}/s", "CredType=cred/munge", f"StateSaveLocation={top}/state",
            f"SlurmdSpoolDir={top}/spool/%n", f"SlurmctldPidFile={top}/slurmctld.pid",
            f"SlurmdPidFile={top}/slurmd-%n.pid", f"SlurmctldLogFile={top}/slurmctld.log",
            f"SlurmdLogFile={top}/slurmd-%n.log", "ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none",
            "SelectType=select/cons_tres", "SelectTypeParameters=CR_Core_Memory", "MpiDefault=none",
            "SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=10000",
            "JobAcctGatherType=jobacct_gather/linux", "JobAcctGatherFrequency=task=1",
            "JobAcctGatherParams=OverMemoryKill", "DefMemPerCPU=200", "SlurmdTimeout=6", "ReturnToService=2",
            "SlurmdParameters=config_overrides",
            "MaxJobCount=30000", *nodes, "PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE State=UP", ""])

    def run(self, *argv, check=True, timeout=60):
        done = self.account.run(argv, env=self.environment, timeout=timeout)
        assert not check or done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def start(self, key):
        self.run("munged", f"--key-file={key}", f"--socket={self.munge}/s", f"--pid-file={self.munge}/pid",
                 f"--log-file={self.munge}/log", f"--seed-file={self.munge}/seed", "--force")
        self.run("slurmctld", "-f", self.conf)
        for node in self.nodes:
            self.start_node(node)
        self.wait_for(lambda: self.states() == ["idle"] * len(self.nodes))

    def states(self):
        return self.run("sinfo", "-h", "-N", "-p", "p", "-o", "%T", check=False).split()

    def start_node(self, node):
        self.run("slurmd", "-f", self.conf, "-N", node)

    @staticmethod
    def wait_for(condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the cluster did not get there in time"
            time.sleep(0.1)

    def pid_of(self, file):
        path = self.directory / file
        return int(path.read_text()) if path.exists() and path.read_text().strip() else None

    def kill_node(self, node):
        """As if its machine lost power: the daemon, the job's keeper and what it runs."""
        daemon = self.pid_of(f"slurmd-{node}.pid")
        below = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        keepers = [int(line.split()[0]) for line in below.splitlines()
                   if str(self.directory) in line and re.search(rf"slurmd.*-N {node}\b", line)]
        stepd = [int(line.split()[0]) for line in below.splitlines() if "slurmstepd: [" in line]
        for pid in {daemon, *keepers, *[p for p in stepd if self.is_ours(p)]} - {None}:
            for one in [*self.children(pid), pid]:
                try:
                    os.kill(one, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def is_ours(self, pid):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return str(self.directory).encode() in file.read()
        except OSError:
            return False

    @staticmethod
    def children(pid):
        found, front = [], [pid]
        while front:
            listing = subprocess.run(["ps", "--ppid", ",".join(map(str, front)), "-o", "pid="], capture_output=True,
                                     text=True, check=False).stdout
            front = [int(word) for word in listing.split()]
            found += front
        return found

    def queue(self):
        lines = self.run("squeue", "-h", "-r", "-t", "all", "-o", "%F|%j|%T").splitlines()
        return [(int(number), name, state) for number, name, state in (line.split("|") for line in lines)]

    def jobs(self):
        """Name and state of every job and task of this test."""
        return [(name, state) for number, name, state in self.queue() if number > self.mark]

    def begin(self, project):
        """For one test: a project whose varve finds the cluster."""
        self.mark = max([number for number, _, _ in self.queue()], default=0)
        project.varve.env["SLURM_CONF"] = self.conf
        self.project = project
        return self

    def close(self):
        self.run("scancel", f"--user={self.account.name}", check=False)
        files = [f"slurmd-{node}.pid" for node in self.nodes] + ["slurmctld.pid", "munge/pid"]
        for pid in filter(None, map(self.pid_of, files)):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
            for _ in range(200):
                if not self.lives(pid):
                    break
                time.sleep(0.05)

    @staticmethod
    def lives(pid):
        """Where nobody reaps orphans, a dead one stays as a zombie."""
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False


@contextlib.contextmanager
def kept_cluster(**options):
    """One of an account of its own, for the tests of a file that leave it as it was."""
    for program in DAEMONS:
        need(program)
    try:
        account = accounts.find("subuid")
    except accounts.Unavailable as reason:
        pytest.skip(str(reason))
    one = Cluster(account, **options)
    yield one
    one.close()
    account.close()


@pytest.fixture(scope="module")
def shared_cluster():
    with kept_cluster() as one:
        yield one


@pytest.fixture
def cluster(shared_cluster, as_user):
    yield shared_cluster.begin(Project(as_user("subuid")))
    shared_cluster.run("scancel", f"--user={shared_cluster.account.name}", check=False)


@pytest.fixture
def lone_cluster(as_user):
    """One that a test may break."""
    for program in DAEMONS:
        need(program)
    project = Project(as_user("subuid"))
    one = Cluster(project.account)
    yield one.begin(project)
    one.close()
