# SPDX-License-Identifier: Apache-2.0
"""A directory that looks as one on NFS, where the kernel has no NFS: bindfs (FUSE) without xattrs, which overlayfs refuses
as an upper directory by the same test as NFS (a file system that revalidates names), and tests/hosts/nfs_rules.c in
front of the program for locks and renames. Not shown: what a client remembers of names and attributes, and a server
that refuses owners and devices.

	def test_x(remote):
		disk = remote(project)			# project.varve.store lies on it
"""
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import find_binary, need


def rules():
    library = find_binary().parents[2] / "tests/hosts/libnfs_rules.so"
    if not library.exists():
        pytest.fail("no tests/hosts/libnfs_rules.so: build it", pytrace=False)
    return library


@pytest.fixture
def remote(tmp_path):
    """remote(project): the mounted directory; the project's store is in it, its scratch directories in TMPDIR."""
    mounted = []

    def make(project):
        need("bindfs")
        if os.getuid() != 0 or not os.path.exists("/dev/fuse"):
            pytest.skip("needs root and /dev/fuse: mounts a file system")
        varve = project.varve
        behind, disk, local = (varve.path(name) for name in ("behind", "remote", "local"))
        for directory in (behind, disk, local):
            directory.mkdir()
            os.chown(directory, varve.account.uid, varve.account.gid)
        subprocess.run(["bindfs", "--xattr-none", "-o", "allow_other", behind, disk], check=True)
        mounted.append(disk)
        library = shutil.copy(rules(), varve.directory / "nfs_rules.so")
        os.chmod(library, 0o755)
        project.local, varve.store = local, disk / "store"
        varve.env.update(VARVE_STORE=varve.store, TMPDIR=local, LD_PRELOAD=library, VARVE_NFS=disk)
        return pathlib.Path(disk)
    yield make
    for disk in mounted:
        subprocess.run(["umount", "-l", disk], check=True)
