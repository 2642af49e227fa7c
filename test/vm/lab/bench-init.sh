#!/lab/busybox sh
# The init of a "bench" machine: runs every case in /lab/cases, each in a mount namespace of its own and on a disk of its
# own, and writes what each case left behind to the disk with the serial number "results".
/lab/busybox mkdir -p /lab/bin /proc /sys /dev /run /tmp /sysroot
/lab/busybox --install -s /lab/bin
export PATH=/usr/bin:/usr/sbin:/lab/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
modprobe -a virtio_pci virtio_blk

# Without a process for each disk that is looked at: there may be a hundred, and emulated processes are slow.
disk() {
  for block in /sys/block/vd*; do
    serial=
    read -r serial 2> /dev/null < "$block/serial"
    if [ "$serial" = "$1" ]; then echo "/dev/${block##*/}"; return; fi
  done
}

tries=0
until [ -n "$(disk results)" ] || [ $tries -ge 50 ]; do sleep 0.1; tries=$((tries + 1)); done
RESULTS=$(disk results)

number=0
for dir in /lab/cases/*; do
  name=$(cat "$dir/name")
  export CASE=$dir OUT=/run/lab NAME=$name DISK="$(disk "$(cat "$dir/serial")")" FILE_SYSTEM="$(cat "$dir/filesystem")" MODE="$(cat "$dir/mode")"
  mkdir -p "$OUT"
  dmesg -c > /dev/null
  read -r begin rest < /proc/uptime
  timeout -s KILL 60 unshare -m /lab/busybox sh /lab/run-case > "$OUT/log" 2>&1 || echo "case ended with $?" >> "$OUT/log"
  read -r end rest < /proc/uptime
  dmesg > "$OUT/dmesg"
  echo "$begin $end" > "$OUT/uptime"
  for file in "$OUT"/*; do
    echo "FILE ${file##*/} $(stat -c %s "$file")"
    cat "$file"
  done > /run/framed
  echo "END" >> /run/framed
  dd if=/run/framed of="$RESULTS" bs=65536 seek=$((number * 8)) conv=notrunc 2> /dev/null
  echo "CASE $name exit $(cat "$OUT/exit") after $begin..$end"
  # What a case may leave outside of its mount namespace.
  rm -rf "$OUT" /run/sealroot /run/systemd /run/framed
  number=$((number + 1))
done
sync
echo "CASES DONE"
poweroff -f
