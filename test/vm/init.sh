#!/bin/sh
# The guest's first program, in its initramfs: mounts the host's root below a tmpfs
# and goes there. If it fails the kernel panics, which ends the machine.
# localpasskey_vm is from the kernel's command line: the shared directory.
set -e
export PATH=/bin
mkdir -p /proc /sys /dev /host /over /root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
share=${localpasskey_vm:?}

transport=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o "ro,cache=loose,$transport" host /host
mount -t tmpfs over /over
mkdir /over/upper /over/work
mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work overlay /root
mount -t 9p -o "$transport" share "/root$share"
for dir in proc sys dev; do mount --move "/$dir" "/root/$dir"; done
exec switch_root /root /bin/sh "$share/guest.sh"
