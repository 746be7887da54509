# AppArmor profile of varve, for hosts that forbid user namespaces to programs
# without one: kernel.apparmor_restrict_unprivileged_userns=1, as Ubuntu 23.10
# and later have it. It allows varve what an unconfined program may do, and to
# make user namespaces: root of such a namespace has no right outside of it.
#
#	sudo install -m 644 THIS-FILE /etc/apparmor.d/varve
#	sudo apparmor_parser -r /etc/apparmor.d/varve
#
# Where varve lies elsewhere, "varve doctor --apparmor-profile" prints this text
# with the right path. What a site wants to add goes in /etc/apparmor.d/local/varve.
abi <abi/4.0>,
include <tunables/global>

profile varve "@PROGRAM@" flags=(unconfined) {
  userns,

  include if exists <local/varve>
}
