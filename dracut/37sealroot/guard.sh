#!/bin/sh
# Did this boot get the root that it asks for? Run before the switch to the new root; a status other than 0 stops the boot.
#
# Asked for is a root mounted by sealroot when an argument on the kernel command line names an image, or the policy in
# the initramfs wants a verified one. Then two things must hold: the kernel's own mount table shows an image of composefs
# as the new root (nothing stale can be there), and sealroot's report of this boot says that all its checks passed.
#
# It must work where sealroot is the part that is missing, so it is a shell script, and of built-in commands only.
# A directory as first argument is taken for / (for tests).

set -uf
LC_ALL=C
export LC_ALL
top=${1-}
config=$top/usr/lib/composefs/setup-root-conf.toml
report=$top/run/sealroot/boot.json

# White space as the kernel's command line parser has it. (The x keeps the line feed.)
blank=$(printf ' \t\n\v\f\r\240x')
blank=${blank%x}

# Sets `asked` to the first argument that names an image. Quotes group words as in the kernel; quotes and backslashes in
# front are looked through, because other readers of the command line remove them.
read_command_line() {
    line=''
    while IFS= read -r part || [ -n "$part" ]; do
        line="$line $part"
        part=''
    done < "$top/proc/cmdline" || return 1
    inside=no
    saved=$IFS
    IFS=$blank
    # shellcheck disable=SC2086 # splitting is what is wanted, and -f is set
    set -- $line
    IFS=$saved
    for part; do
        word=$part
        while :; do
            case $word in
                [\"\'\\]*) word=${word#?} ;;
                *) break ;;
            esac
        done
        if [ "$inside" = no ]; then
            case $word in
                composefs | composefs=* | composefs.digest | composefs.digest=*) asked="$part on the kernel command line" && return 0 ;;
                ostree.prepare-root.composefs=*verity* | ostree.prepare-root.composefs=*signed*) asked="$part on the kernel command line" && return 0 ;;
            esac
        fi
        while :; do
            case $part in
                *\"*) part=${part#*\"} ;;
                *) break ;;
            esac
            if [ "$inside" = no ]; then inside=yes; else inside=no; fi
        done
    done
    return 0
}

# Sets `asked` when the policy wants a verified root. The files are TOML and OSTree's key file, and this is no parser of them:
# a line that may set the level is enough, also where the word stands in a comment behind something else. (What no line shows, a
# value over several lines or a name in escapes, it does not see; check-initramfs reads the file as sealroot does.)
read_policy() {
    for policy in "$config" "$top/usr/lib/ostree/prepare-root.conf" "$top/etc/ostree/prepare-root.conf"; do
        [ -e "$policy" ] || [ -L "$policy" ] || continue
        # sealroot refuses such a policy; to nobody is it no policy
        if [ ! -f "$policy" ] || [ ! -r "$policy" ]; then
            asked="$policy, which is no file that can be read"
            return 0
        fi
        while IFS= read -r line || [ -n "$line" ]; do
            case ${line#"${line%%[![:space:]]*}"} in
                '#'*) ;;
                *level*=*verity* | *level*=*signed* | *enabled*=*verity* | *enabled*=*signed*) asked="level in $policy" && return 0 ;;
            esac
            line=''
        done < "$policy"
    done
}

# Whether the new root is an overlay that carries an image's digest as its name, and nothing lies over it or its /usr: neither
# mount.usr= nor an fstab on the disk (a deployment's /etc) may bring another one. systemd.volatile=yes leaves only /usr of the
# image, on a tmpfs; systemd.volatile=overlay puts an overlay over the whole.
image_is_mounted() {
    root=none
    usr=none
    while read -r _ _ _ _ point _ rest; do
        case " $rest" in
            *" - overlay composefs:"[0-9a-f]* | *" - overlay transient:composefs="[0-9a-f]*) kind=image ;;
            *" - overlay overlay "*) kind=overlay ;;
            *" - tmpfs "*) kind=tmpfs ;;
            *) kind=other ;;
        esac
        case $point in
            /sysroot) [ "$kind" = overlay ] && [ "$root" = image ] || root=$kind usr=none ;;
            /sysroot/usr) usr=$kind ;;
        esac
    done < "$top/proc/self/mountinfo"
    case $root,$usr in
        image,none | image,image | tmpfs,image) return 0 ;;
    esac
    return 1
}

# Whether the report says so, in its own words: an entry of its top level, which has an indentation of two.
report_is_good() {
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
            '  "ok": true' | '  "ok": true,') return 0 ;;
        esac
        line=''
    done < "$report"
    return 1
}

asked=''
read_command_line || asked='/proc/cmdline cannot be read'
[ -n "$asked" ] || read_policy
[ -n "$asked" ] || exit 0

if [ ! -e "$report" ]; then
    found='sealroot did not run, or did not come to an end: /run/sealroot/boot.json is absent'
elif ! report_is_good; then
    found='sealroot refused this boot: see its message above, and /run/sealroot/boot.json'
elif ! image_is_mounted; then
    found='no image is mounted at /sysroot, whatever /run/sealroot/boot.json says'
else
    exit 0
fi

# the console must not be redrawn, nor lines of it forged, by what stands on the command line
case $asked in *[![:print:]]*) asked='an argument with control characters, on the kernel command line' ;; esac
say() { printf '%s\n' "$1" >&2; }
say 'sealroot-guard: boot stopped: the root is not a sealed image               [SR-E610]'
say "  asked    $asked"
say "  found    $found"
say '  meaning  going on would boot the bare disk, which nothing verifies'
say '  next     see: journalctl -b -u sealroot-setup-root; is the unit masked (rd.systemd.mask=) or missing?'
say '           check the initramfs with: sealroot check-initramfs FILE'
exit 75
