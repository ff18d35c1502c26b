#!/bin/sh
# After the files are there. dpkg calls it with "configure" and, on an upgrade, the
# version before; rpm with 1 on the first installation and 2 on an upgrade.
set -e

# dpkg names the version before also where that was removed since: preremove.sh tells.
removed=/var/lib/localpasskey/.removed

case "$1" in
  configure) if [ -n "$2" ]; then upgrade=yes; else upgrade=no; fi ;;
  1) upgrade=no ;;
  2) upgrade=yes ;;
  *) exit 0 ;; # dpkg undoes what failed
esac

# Into a directory that does not run: what follows is done at its first start.
if [ -n "${DPKG_ROOT:-}" ]; then
  exit 0
fi

have() { command -v "$1" >/dev/null 2>&1; }

if [ -e /usr/lib/sysusers.d/localpasskey.conf ] && have systemd-sysusers; then
  systemd-sysusers localpasskey.conf
fi
if [ -e /usr/lib/tmpfiles.d/localpasskey.conf ] && have systemd-tmpfiles; then
  systemd-tmpfiles --create localpasskey.conf || true # a container's /dev may be read-only
fi

if [ -e "$removed" ]; then
  rm -f "$removed"
  upgrade=no
fi

# From here on, of a system that runs. The rest works without.
if [ -e /usr/lib/modules-load.d/localpasskey.conf ] && have modprobe; then
  modprobe -q uhid || true
fi
if [ -d /run/udev ] && have udevadm; then
  # An event may have had udev read our rules before there was their group. It reads rules
  # again, also when told to reload, only where a file of them has changed (systemd 252).
  touch /usr/lib/udev/rules.d/71-localpasskey.rules || true
  udevadm control --reload || true
  udevadm trigger --subsystem-match=misc --subsystem-match=tpmrm --subsystem-match=hidraw --action=change || true
  # These two by name, and waited for: the service opens them when it starts.
  for device in /dev/uhid /dev/tpmrm0; do
    if [ -e "$device" ]; then
      udevadm trigger --settle --action=change "$device" || true
    fi
  done
fi
if [ -d /run/systemd/system ] && have systemctl; then
  systemctl daemon-reload || true
  if [ "$upgrade" = yes ]; then
    systemctl try-restart localpasskey.service || true
  else
    for unit in localpasskey.socket localpasskey.service; do
      if grep -qs '^\[Install\]' "/usr/lib/systemd/system/$unit"; then
        systemctl enable --now "$unit" || true
      fi
    done
  fi
fi
# The agent, in each session that begins from now on; whoever does not want it masks it.
if [ "$upgrade" = no ] && [ -e /usr/lib/systemd/user/localpasskey-agent.service ] && have systemctl; then
  systemctl --global enable localpasskey-agent.service || true
fi

if [ "$upgrade" = no ]; then
  echo "LocalPasskey is installed. localpasskey doctor says what is ready, localpasskey setup begins."
fi
