#!/usr/bin/env bash
# Installs the programs of other people that a step needs, and only those that
# are missing. It prints what it is about to install before it installs it.
#
#   scripts/deps.sh test | demo | e2e | lint | race [-n]     -n: print, install nothing
#
# A program counts as there when it is on PATH (or in sbin), however it came; a
# kernel when a file of that pattern is.
set -euo pipefail

usage() {
  echo "usage: scripts/deps.sh test|demo|e2e|lint|race [-n]" >&2
  exit 2
}

# needs STEP prints one "program package" per line; packages are Debian's names.
needs() {
  case "$1" in
    demo) echo "swtpm swtpm" ;; # the software TPM, a separate program
    test) echo "swtpm swtpm" && echo "swtpm_setup swtpm-tools" && echo "pinentry-tty pinentry-tty" && echo "dbus-daemon dbus-daemon" && echo "systemd-analyze systemd" ;;
    e2e) cat <<'END' ;;
swtpm swtpm
qemu-system-x86_64 qemu-system-x86
/boot/vmlinuz-* linux-image-amd64
busybox busybox-static
cpio cpio
modprobe kmod
udevadm udev
/lib/systemd/systemd-logind systemd
/lib/systemd/system/dbus.service dbus
/lib/*/security/pam_systemd.so libpam-systemd
fido2-token fido2-tools
/lib/*/security/pam_u2f.so libpam-u2f
pamtester pamtester
/usr/libexec/fprintd fprintd
/usr/lib/polkit-1/polkitd polkitd
ssh-keygen openssh-client
sshd openssh-server
git git
cryptsetup cryptsetup-bin
systemd-cryptenroll systemd
losetup mount
chromium chromium
firefox-esr firefox-esr
Xvfb xvfb
xdotool xdotool
pinentry-gtk-2 pinentry-gtk2
node nodejs
npm npm
rpm rpm
END
    lint) echo "shellcheck shellcheck" && echo "node nodejs" && echo "npm npm" ;;
    race) echo "gcc gcc" && needs test ;; # the race detector is C
    *) return 1 ;;
  esac
}

missing() {
  local program package
  while read -r program package; do
    case "$program" in
      /*) compgen -G "$program" >/dev/null ;;
      *) PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null ;;
    esac || printf '%s ' "$package"
  done
}

[ $# -ge 1 ] || usage
wanted=$(needs "$1") || usage
packages=$(missing <<<"$wanted")
packages=${packages% }
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null; then
  {
    echo "deps: make $1 needs programs that are not here: $packages"
    echo "hint: install them with this system's package manager (dnf, pacman, brew …) and run it again"
  } >&2
  exit 1
fi

root=
how=
if [ "$(id -u)" -ne 0 ]; then
  root=sudo
  how=" (with sudo, which may ask for your password)"
fi
echo "make $1 will install from this system's packages: $packages$how"
if [ "${2:-}" = -n ]; then
  exit 0
fi
if [ -n "$root" ] && ! command -v sudo >/dev/null; then
  echo "deps: not root, and sudo is not here" >&2
  echo "hint: as root, run: apt-get install $packages" >&2
  exit 1
fi

install() {
  # shellcheck disable=SC2086 # Two lists of words, the first often empty.
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages
}
# A machine that has never fetched the package lists, or fetched them long ago,
# knows no such package or an old one.
install || { $root apt-get update -q && install; }
