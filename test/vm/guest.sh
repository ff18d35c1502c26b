# The guest's first program in the host's root: brings up what clients expect of a
# machine, runs the shared directory's command and switches the machine off.
share=${localpasskey_vm:?}
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t tmpfs run /run
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
cp -r "$share/programs" /dev/shm
busybox ip link set lo up

if [ -e "$share/init.service" ]; then
  # The machine's own init, with this test in place of what it boots into.
  mkdir -p /run/systemd/system /etc/tmpfiles.d
  ln -sf /dev/null /etc/tmpfiles.d/tmp.conf # it would empty /tmp, where the test is
  cp "$share/init.service" /run/systemd/system/localpasskey-test.service
  exec /lib/systemd/systemd --unit=localpasskey-test.service
fi

/lib/systemd/systemd-udevd --daemon
udevadm trigger
udevadm settle

if [ -e "$share/asleep.sh" ]; then
  # Whoever touches a disk after the sleep hangs: udevd would, and the sleep with it.
  udevadm control --exit
  cp -r "$share" /dev/shm/vm
  exec /dev/shm/vm/busybox sh /dev/shm/vm/asleep.sh
fi

/bin/sh "$share/command.sh" </dev/null >>"$share/output" 2>&1
echo $? >"$share/status"
sync
echo o >/proc/sysrq-trigger
sleep 60
