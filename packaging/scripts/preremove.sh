#!/bin/sh
# Before the files go. dpkg calls it with "remove" or "upgrade"; rpm with 0 when the last
# version goes and 1 on an upgrade, through which the service runs until it is restarted.
set -e

case "$1" in
  remove | 0) ;;
  *) exit 0 ;;
esac

if [ -n "${DPKG_ROOT:-}" ] || ! command -v systemctl >/dev/null 2>&1; then
  exit 0
fi
# Whoever installs it again wants it to run: see postinstall.sh.
if [ -d /var/lib/localpasskey ]; then
  touch /var/lib/localpasskey/.removed
fi
if [ -d /run/systemd/system ]; then
  for unit in localpasskey.socket localpasskey.service; do
    if [ -e "/usr/lib/systemd/system/$unit" ]; then
      systemctl disable --now "$unit" || true
    fi
  done
fi
# Agents in sessions: each ends by SIGTERM, and its user's systemd takes that for an end in order.
for agents in /sys/fs/cgroup/user.slice/user-*.slice/user@*.service/session.slice/localpasskey-agent.service/cgroup.procs; do
  if [ -e "$agents" ]; then
    while read -r process; do
      kill "$process" || true
    done <"$agents"
  fi
done
if [ -e /usr/lib/systemd/user/localpasskey-agent.service ]; then
  systemctl --global disable localpasskey-agent.service || true
fi
