# One case of a bench machine; see bench-init.sh for the variables. Everything that is mounted here is gone with the namespace.
# systemd makes all mounts of an initramfs shared, and so does this.
mount --make-rshared /
[ -b "$DISK" ] || { echo "no disk"; exit 1; }

# Changes that an attacker or an accident made to the raw disk.
for patch in "$CASE"/patch-*; do
  [ -e "$patch" ] && dd if="$patch" of="$DISK" bs=1 seek="${patch##*/patch-}" conv=notrunc 2> /dev/null
done
# Changes made through the filesystem.
if [ -e "$CASE/prepare" ] || [ -d "$CASE/files" ]; then
  mount -t "$FILE_SYSTEM" "$DISK" /sysroot || exit 1
  [ ! -d "$CASE/files" ] || cp -R "$CASE/files/." /sysroot || { echo "files cannot be written"; exit 1; }
  [ ! -e "$CASE/prepare" ] || (cd /sysroot && set -e && . "$CASE/prepare") || { echo "prepare failed"; exit 1; }
  umount /sysroot
fi

mount -t "$FILE_SYSTEM" -o "$MODE" "$DISK" /sysroot || exit 1
cat /proc/self/mountinfo > "$OUT/before"
set --
while read -r argument; do set -- "$@" "$argument"; done < "$CASE/arguments"
program=/usr/bin/sealroot
if [ -e "$CASE/program" ]; then
  program=$(cat "$CASE/program")
  mkdir -p "${program%/*}"
  ln -sf /usr/bin/sealroot "$program"
fi
[ -e "$CASE/setup" ] && . "$CASE/setup"
"$program" "$@" --config "$CASE/config" --cmdline "$(cat "$CASE/cmdline")" > "$OUT/stdout" 2> "$OUT/stderr" < /dev/null
echo $? > "$OUT/exit"
cat /proc/self/mountinfo > "$OUT/after"
[ -e /run/sealroot/boot.json ] && cp /run/sealroot/boot.json "$OUT/boot.json"
[ -L /run/systemd/volatile-root ] && readlink /run/systemd/volatile-root > "$OUT/volatile-root"
[ -e "$CASE/facts" ] && . "$CASE/facts" > "$OUT/facts" 2>&1
:
