# SPDX-License-Identifier: Apache-2.0
"""What packages and build scripts do with owners, modes and special files, in one package and one step on top of it.
The scripts also write down what they see: a wrong answer of a system call becomes a file that differs. What is
left different is not here but in test_the_differences_that_are_left.

PACKAGE	a package for debs.make_deb; its postinst does all of PARTS
LATER	shell text for a run step on the next layer: changes of what a lower layer has. Not of one name of several that a
	file has: overlayfs then makes two files of it, as in every builder that works with it"""

# Each part runs in a directory /srv/probe/NAME of its own, as root, umask 022, sh -eu.
PARTS = {}

PARTS["chown"] = r"""
for name in number name group huge uid gid colon from copy follow twice; do echo $name >$name; done
chown 7:9 number; chown daemon:adm name; chgrp mail group; chown 60000:65533 huge; chown 33 uid; chown :42 gid; chown games: colon
chown 5:6 from; chown --from=5:6 8:8 from; chown --from=5:6 9:9 from; chown --reference=huge copy
chown 7 twice; chown :8 twice; chgrp 0 twice
ln -s follow link; ln -s nowhere dangling; ln -s . here; ln -s follow plain
chown -h 7:8 link; chown -h games:games dangling; chgrp -h 65533 here; chown 12 link
mkdir -p tree/a/b; echo x >tree/a/b/file; ln -s b tree/a/link; mkfifo tree/pipe; chown -R 10:20 tree; chgrp -R 21 tree/a/b
! chown no-such-user number 2>/dev/null; ! chown 1:1 missing 2>/dev/null
mkdir -m 0000 closed; chown 3:4 closed; ln number hard; chown 11:11 hard
"""

PARTS["setgid"] = r"""
mkdir -m 2775 d; chgrp 50 d; chown 8 d; stat -c %a:%u:%g d; mkdir plain; echo m >plain/moved; echo c >plain/copied; chown 1:1 plain/*
echo f >d/file; mkdir -p d/sub/deep; ln -s x d/link; mkfifo d/pipe; mknod d/node c 1 7; echo g >d/sub/deep/file; touch d/sub/own; chown 9:9 d/sub/own
mv plain/moved d; cp plain/copied d; cp -a plain/copied d/kept; ln plain/copied d/hard; install -m 600 plain/copied d/installed
mkdir -m 0755 d/mode; mkdir d/left; chgrp 0 d/left; chmod g-s d/left; mkdir d/left/below; mv d/sub/deep d/sub/renamed
cp -r d copy; cp -a d same; (umask 077; echo u >d/masked; mkdir d/closed)
python3 - <<'PY'
import os
os.mkdir("d/py", 0o700); os.close(os.open("d/py/x", os.O_CREAT | os.O_EXCL, 0o2755)); os.mkfifo("d/py/p", 0o640)
print(oct(os.stat("d/py").st_mode), os.stat("d/py/x").st_gid, os.fstat(os.open("d/py/x", os.O_RDONLY)).st_gid)
PY
"""

PARTS["setid"] = r"""
for mode in 4755 2755 6755 2644 6711 4644 1755; do for how in chown same none h; do touch $mode-$how; chmod $mode $mode-$how; done; done
chown 5:5 *-chown; chown 0:0 *-same; chown -h 6 *-h
python3 -c 'import glob, os; [os.chown(name, -1, -1) for name in glob.glob("*-none")]'
mkdir -m 7777 d; chown 5:5 d; echo x >after; chown 5:5 after; chmod 6755 after; cp after copy; cp -p after kept
echo x >written; echo y >>written; chmod 6777 written; cp /dev/null emptied; : >emptied; chmod u+s,g+s,o+t emptied
"""

PARTS["capabilities"] = r"""
for name in a b c d e f; do echo $name >$name; done
setcap cap_net_raw+ep a; setcap cap_net_bind_service,cap_chown=eip b; setcap cap_setuid+p c; setcap cap_kill+ep d; setcap cap_kill+ep e; setcap cap_kill+ep f
cp a plain; cp -a a kept; mv b moved; ln a hard; chown 7:8 c; echo more >>d; chmod 4711 e; chgrp 0 f; chown 1 kept; setcap cap_sys_chroot+ei kept
getcap -n * ; setcap -r moved; setcap -v cap_net_raw+ep a
"""

PARTS["devices"] = r"""
mknod null c 1 3; mknod -m 660 disk b 8 1; mknod console c 5 1; mknod huge b 259 70000; mknod -m 000 none c 4095 1048575
chown 0:6 disk; chown 60000:65533 huge; chmod 620 console; ln null hard; mv console tty; ln -s disk link; chown -h 3:3 link
cp -a disk copy; mkdir d; mv huge d; rm none; mknod again c 10 1; rm again; mknod again b 10 2; mknod zero c 0 0 || true; rm -f zero
for name in null disk tty copy d/huge link again; do
	[ -c $name ] && kind=c || kind=-; [ -b $name ] && kind=b; echo $name $kind $(stat -L -c '%t:%T %u:%g %a %F' $name); done
! mknod null c 1 3 2>/dev/null; ! mknod missing/x c 1 3 2>/dev/null
python3 - <<'PY'
import os, stat
os.mknod("py", 0o640 | stat.S_IFCHR, os.makedev(9, 300)); os.mknod("file", 0o600 | stat.S_IFREG); os.mknod("pipe", 0o644 | stat.S_IFIFO)
print([(name, stat.filemode(st.st_mode), os.major(st.st_rdev), os.minor(st.st_rdev)) for name in ("py", "file", "pipe") for st in [os.lstat(name)]])
print(sorted((e.name, stat.filemode(e.stat(follow_symlinks=False).st_mode)) for e in os.scandir(".")))
PY
"""

PARTS["special"] = r"""
mkfifo a; mkfifo -m 622 b; chown 7:8 b; mkfifo c; chown games c; chmod 400 c; mv c d; cp -a b e; ln b f; mkdir sub; mv d sub
python3 - <<'PY'
import os, socket, stat
socket.socket(socket.AF_UNIX).bind("socket"); os.chown("socket", 7, 8)
print(stat.filemode(os.stat("socket").st_mode), os.stat("socket").st_uid)
ends = os.pipe(); os.fchown(ends[0], 0, 0); open("gone", "w"); fd = os.open("gone", os.O_RDWR); os.unlink("gone"); os.fchown(fd, 7, 8)
print(os.fstat(fd).st_uid, os.fstat(fd).st_nlink)
fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640); os.write(fd, b"tmp"); os.fchown(fd, 9, 10)
os.link(f"/proc/self/fd/{fd}", "tmpfile", src_dir_fd=os.open(".", os.O_PATH), follow_symlinks=True)  # linkat
PY
ls a b e f sub tmpfile
"""

PARTS["links"] = r"""
echo x >a; ln a b; chown 7:8 b; ln b c; mkdir d; ln a d/a; chmod 640 d/a; mv c d; rm b; ln -f a b; stat -c '%h %u %g %a' a d/c
ln -s a s; chown -h 9:9 s; mv s t; mv t d; ln -s other d/u; chown -h 8 d/u; mv -f d/u d/t; cp -a d/t kept; cp -P d/t new; ln -s a file; chown -h 2:2 file; rm file; echo y >file
stat -c '%u %g %F' d/t kept new file
"""

PARTS["replace"] = r"""
echo old >a; chown 7:8 a; chmod 640 a; echo new >a.new; mv a.new a; echo old >b; chown 7:8 b; cp -p b b.new; echo new >b.new; mv -f b.new b
for name in append truncate copied sed install dd perl; do echo old >$name; chown 9:10 $name; chmod 604 $name; done
echo more >>append; echo new >truncate; cp a copied; sed -i s/old/new/ sed; install -m 600 a install; dd if=a of=dd conv=notrunc status=none; perl -i -pe s/old/new/ perl
mkdir d e; chown 3:4 d; mv d e; mkdir d; rmdir d; ln -s x d; rm -r d; echo x >d; chown 5 d
echo in >e/d/in; chown 1:1 e/d/in; mv e/d f; mkdir g; cp -a f/. g; rm -r f; mkdir f; stat -c '%n %u:%g:%a' *
"""

PARTS["users"] = r"""
mkdir -m 1777 sticky
su -s /bin/sh -c id daemon; su -s /bin/sh -c 'id -u; id -g; id -G; whoami' games
su -s /bin/sh -c 'cd sticky; touch file; mkdir dir; ln -s x link; mkfifo pipe; echo y >dir/file; umask 077; echo z >masked; ln file hard; mv masked moved' daemon
su -s /bin/sh -c 'cd sticky; chmod 4755 file; chgrp daemon dir; chmod 2770 dir; touch dir/late; stat -c "%n %u:%g:%a" . file dir dir/late' daemon
setpriv --reuid=8 --regid=12 --clear-groups id; setpriv --reuid=8 --regid=12 --groups 4,5 sh -c 'id -G; echo x >sticky/mail'; setpriv --reuid=60000 --regid=65533 --clear-groups touch sticky/huge
echo '127.0.0.1 build' >>/etc/hosts  # else sudo tells root by mail that it is not known
sg mail -c 'echo x >sticky/sg; id -g'; runuser -u games -- sh -c 'echo x >sticky/runuser'; sudo -u games id; sudo -u games -g mail sh -c 'echo x >sticky/sudo'
python3 - <<'PY'
import os
os.setgroups([4, 24]); os.setresgid(5, 6, 7); os.setresuid(1, 2, 0); print(os.getresuid(), os.getresgid(), os.getgroups(), os.geteuid())
open("sticky/effective", "w"); os.setresuid(0, 0, 0); os.setresgid(0, 0, 0); print(os.getresuid(), os.getresgid())
if os.fork() == 0:
    os.setgid(33); os.setuid(33); open("sticky/dropped", "w"); os.mkdir("sticky/dropped.d"); os.symlink("x", "sticky/dropped.l")
    try:
        os.setuid(0); print("back to root")
    except PermissionError:
        print("no way back")
    os._exit(0)
os.wait(); os.seteuid(7); open("sticky/seteuid", "w"); os.seteuid(0); open("sticky/root", "w"); print(os.getuid(), os.stat("sticky/seteuid").st_uid)
PY
perl -e '$> = 13; open my $f, ">", "sticky/perl"; $> = 0; open my $g, ">", "sticky/perl.root"; chown 14, 15, "sticky/perl.root"'
"""

PARTS["accounts"] = r"""
groupadd -g 700 pg; groupadd --system ps; useradd -m -d /home/p1 -s /bin/sh -u 5000 -G mail,pg p1; useradd --system -g ps -d /nonexistent p2
echo 'p1:$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.' | chpasswd -e
usermod -aG adm p1; usermod -u 5001 p1; usermod -c comment -s /bin/false p2; passwd -l p1; passwd -u p1; gpasswd -a p2 pg; gpasswd -A p1 pg; groupmod -n pg2 pg; chage -M 90 p1
useradd -M gone; userdel gone; adduser --system --group --home /var/lib/p3 p3; adduser --system --no-create-home --ingroup mail p4; addgroup --gid 800 p5; adduser --disabled-password --gecos '' p6; deluser p6; delgroup p5
adduser p4 audio; chown -R p3:pg2 /home/p6; cp -a /home/p1 home; cp -p /etc/shadow shadow; cp /etc/gshadow gshadow; chown p1:pg2 gshadow; vipw --version >/dev/null 2>&1 || true
id p1; id p2; id p3; passwd -S p1; getent passwd p1 p4; grep ^p1: /etc/shadow; stat -c '%n %u:%g:%a' /etc/shadow /etc/gshadow /etc/passwd /home/* home/.profile
"""

PARTS["copies"] = r"""
mkdir -p from/d; echo a >from/a; chown 7:8 from/a; chmod 6711 from/a; echo b >from/d/b; setcap cap_chown+ep from/d/b; chown 9:9 from/d; chmod 3751 from/d
ln -s a from/l; chown -h 5:6 from/l; mkfifo from/p; chown 4:4 from/p; mknod from/c c 1 5; chgrp 9 from/c; mknod from/e b 7 9; ln from/a from/hard; chown 60000:65533 from
cp -a from cp; cp -r --no-preserve=ownership from plain; cp --preserve=mode,ownership from/a one
tar --format=gnu --sort=name --mtime=@1 --numeric-owner -cf all.tar from; mkdir tar same; tar -xpf all.tar -C tar; tar -xf all.tar -C same --no-same-owner --no-same-permissions
tar --xattrs --xattrs-include=security.capability --numeric-owner -cf - -C from . | (mkdir pipe; tar --xattrs --xattrs-include=security.capability --numeric-owner -xpf - -C pipe)
mkdir cpio; (cd from; find . | LC_ALL=C sort | cpio -pdm ../cpio 2>/dev/null); tar --numeric-owner --mtime=@1 -tvf all.tar
mkdir moved; mv cp moved; mv moved/cp/d moved; find from tar pipe cpio moved -printf '%p %y %m %U:%G %l\n' | LC_ALL=C sort
"""

PARTS["install"] = r"""
echo x >x; install -o games -g mail -m 4750 x a; install -d -o 7 -g 8 -m 2755 d/e; install -D -o 60000 x f/g/h; install -C -m 644 -o 5 x c; install -C -m 644 -o 5 x c
chmod 640 a; chmod --reference=c x; chmod g=u,o= c; chmod -R a-x,a+X d; mkdir -m 1777 t; (umask 0; echo y >y; mkdir z); (umask 077; echo w >w)
"""

PARTS["system-calls"] = r"""
mkdir d; for n in 1 2 3 4 5 6 7 8; do echo $n >f$n; done
python3 - <<'PY'
import os, stat
fd, top = os.open("f1", os.O_RDWR), os.open("d", os.O_RDONLY | os.O_DIRECTORY)
os.fchown(fd, 11, 12); os.fchmod(fd, 0o2750); os.symlink("x", "d/l", dir_fd=None); os.chown("l", 13, 14, dir_fd=top, follow_symlinks=False)
os.lchown("d/l", 15, -1); os.chown("f2", -1, 16); os.chown("f3", 17, -1); os.chown(top, 18, 19); os.chown(f"/proc/self/fd/{fd}", 20, 21)
path = os.open("f4", os.O_PATH); os.chown(f"/proc/self/fd/{path}", 22, 23); os.chown("/proc/self/cwd/f5", 24, 25); os.chown("d/../f6", 26, 27)
for name in ("f1", "f2", "f3", "f4", "f5", "f6", "d", "d/l"):
    st = os.lstat(name); print(name, st.st_uid, st.st_gid, oct(st.st_mode), os.stat(name, dir_fd=os.open(".", os.O_RDONLY), follow_symlinks=False).st_uid)
print(os.fstat(fd).st_uid, os.fstat(path).st_gid, [(e.name, e.stat(follow_symlinks=False).st_uid) for e in os.scandir("d")])
for call in (lambda: os.chown("", 1, 1), lambda: os.chown("none/x", 1, 1), lambda: os.chown("f1/x", 1, 1), lambda: os.chown(999, 1, 1), lambda: os.chown("x" * 300, 1, 1)):
    try:
        call(); print("no error")
    except OSError as error:
        print(error.errno)
os.setxattr("f7", "user.note", b"mine"); os.chown("f7", 28, 29); print(os.getxattr("f7", "user.note"))
PY
seq 400 | xargs -n 5 -P 8 sh -c 'for n; do echo $n >d/p$n; chown $n:$((n + 1)) d/p$n; chmod 6755 d/p$n; done' sh; [ "$(find d -name 'p*' -uid -401 -perm 6755 | wc -l)" = 400 ]
mkdir jail; perl -e 'chroot "jail" or die; chdir "/"; open my $f, ">", "/file"; mkdir "/sub"; chown 7, 8, "/file", "/sub"; symlink "/file", "/link"; print join(" ", (stat "/link")[4, 5]), "\n"'
long=$(printf %0200d 0); mkdir -p $long/$long/$long; echo x >$long/$long/$long/f; chown -R 30:31 $long
perl -e 'print join(" ", map { (stat)[4] } "f1", "f2"), "\n"'; test -O f8 && echo mine; test -O f3 || echo not mine; test -u f1 || test -g f1 && echo setgid; find . -maxdepth 1 -user 17 -o -maxdepth 1 -group 16 | LC_ALL=C sort
"""

PARTS["dpkg"] = r"""
dpkg-statoverride --update --add games mail 4711 /usr/bin/probe-limited; dpkg-statoverride --update --add root crontab 2770 /srv/probe-shipped/dir
dpkg-statoverride --list | LC_ALL=C sort; dpkg-divert --local --rename --divert /usr/bin/probe-aside --add /usr/bin/probe-diverted; stat -c '%n %u:%g:%a' /usr/bin/probe-* /srv/probe-shipped/*
"""

PARTS["acl"] = r"""
echo a >a; setfacl -m u:root:r,g:root:rw,m::rw a; mkdir d; setfacl -d -m g:root:rwx d; echo b >d/b; mkdir d/sub; chown 7:8 d/b; cp -a d copy; getfacl -n -R . | LC_ALL=C sort
"""

_BY_NUMBER = {"uname": "", "gname": ""}  # a name would count more than the number
# A part that fails is told of, and the others go on.
_POSTINST = """#!/bin/sh
set -eu
mkdir -p /srv/probe /srv/probe-seen
part() {
	mkdir /srv/probe/$1
	echo "$2" >/run/part
	(cd /srv/probe/$1 && sh -eu /run/part) >/srv/probe-seen/$1 2>/run/complaints && return
	echo "part $1 failed with $?:"
	cat /srv/probe-seen/$1 /run/complaints | tail -n 20
	failed=1
}
failed=0
"""


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def _postinst(parts):
    lines = [f"part {name} {quoted(text)}" for name, text in parts.items()]
    return _POSTINST + "\n".join(lines) + "\n[ $failed = 0 ]\n"


def _report(name):
    """Every program sees the same of every file: type, mode, owner, links; sizes of directories are the file system's."""
    return (r"find /srv /home /usr/bin/probe-* /etc/shadow -path '/srv/probe-seen*' -prune -o -printf '%p %y %m %U:%G %l\n'"
            f" | grep -v special/socket | LC_ALL=C sort >/srv/probe-seen/{name}\n")


PACKAGE = {
    "name": "oracle-probe", "depends": "passwd, login, acl, libcap2-bin, python3-minimal, adduser, sudo, cpio, cron",
    "files": {"usr/bin/probe-limited": "#!/bin/sh\n", "usr/bin/probe-diverted": "#!/bin/sh\n",
              "srv/probe-shipped/suid": {"data": "#!/bin/sh\n", "mode": 0o4755, "uid": 7, "gid": 8, **_BY_NUMBER},
              "srv/probe-shipped/far": {"data": "f", "uid": 60000, "gid": 65533, "mode": 0o640, **_BY_NUMBER},
              "srv/probe-shipped/dir/": {"mode": 0o2775, "gid": 50, **_BY_NUMBER}, "srv/probe-shipped/drop/": {"mode": 0o1777},
              "srv/probe-shipped/link": {"link": "far", "uid": 7, "gid": 8, **_BY_NUMBER},
              "srv/probe-shipped/twin": {"data": "x", "uid": 3, **_BY_NUMBER}, "srv/probe-shipped/twin2": {"hardlink": "srv/probe-shipped/twin"}},
    "scripts": {"postinst": _postinst(PARTS) + _report("REPORT")}}

LATER = r"""
cd /srv/probe
rm -r chown/tree/a devices/null links/d/t special/a; mv chown/link links/moved; mv devices/disk devices/renamed; mv special/e special/renamed; mv setgid/d/sub setgid/e; rm -r setgid/same
chown 100:101 chown/name; chown -h 102 chown/dangling; chown 103 devices/tty; chown 104:104 special/renamed; chmod 4755 setid/2755-same; chgrp 105 /srv/probe
echo more >>chown/huge; echo new >chown/uid; echo late >setgid/d/late; mkdir setgid/d/later; touch setgid/d/py/late; touch users/sticky/file; rm capabilities/a; mknod capabilities/a b 1 2
setcap cap_kill+ep install/a; echo x >>capabilities/kept; getcap -n capabilities/* install/* >/srv/probe-seen/later-capabilities
cp -a copies/from copies/again; cp -a /etc/shadow shadow; ln copies/from/d/b copies/later-link; ln -s x copies/from/new; chown -h 9:9 copies/from/new
rm -r replace/e; mkdir replace/e; chown 106 replace/e; mv links/file links/d/t; useradd -m -u 6000 later; usermod -aG mail later; chgrp -R mail /home/p1
su -s /bin/sh -c 'echo later >>users/sticky/moved; rm users/sticky/link; ln -s y users/sticky/link; touch users/sticky/later' daemon
""" + _report("REPORT-LATER")
