# The rest of guest.sh for a test that suspends the machine: everything is in memory
# here, because virtio-9p does not come back from a suspend, and what is to be told goes
# through the console.
here=/dev/shm/vm
export TMPDIR=/dev/shm HOME=/dev/shm
"$here/busybox" sh "$here/command.sh" </dev/null >"$here/output" 2>&1
status=$?
"$here/busybox" dmesg -n 1
{
  echo "status: $status"
  echo "output:"
  "$here/busybox" base64 "$here/output"
  echo "end"
} >/dev/ttyS0
"$here/busybox" sleep 1 # or the kernel's last words come in between
echo o >/proc/sysrq-trigger
"$here/busybox" sleep 60
