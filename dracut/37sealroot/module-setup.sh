#!/bin/bash
# The dracut module: puts into an initramfs what boots a sealed root. Works with dracut 059 to 112.
#
# dracut sources this file and calls the functions in its own process, so `exit` ends the build. That is used for
# everything without which the initramfs could not boot: a missing part must fail here, on the build machine, and not
# be left out in silence and found out at the next boot.

# The fs-verity digests of the image are computed by the kernel. Where these are modules, they are several times faster
# than what is built in; udev loads the one that fits the processor.
_sealroot_hashes=(sha256_ssse3 sha512_ssse3 sha256-arm64 sha256_ce sha2-ce sha512-arm64 sha512-ce)

# Filesystems of the disk that holds the repository. A missing one is no error: the kernel may not have it.
_sealroot_filesystems=(ext4 btrfs f2fs xfs)

_sealroot_config=/usr/lib/composefs/setup-root-conf.toml
# Beside it, made here: nothing that was signed as older than this is booted. See _sealroot_install_floor.
_sealroot_floor=/usr/lib/composefs/setup-root-not-before
# 2000-01-01T00:00:00Z. Whatever says that this was built before does not know when it was: 0 and 1 (OSTree), 1980 (zip), a clock without
# a battery. A floor of then would let everything pass; the boot refuses it as well (src/config/time.ts).
_sealroot_earliest=946684800

# Whoever installs this module wants it: included by default, also in images built on other machines. (Asked to leave
# it out: omit_dracutmodules+=" sealroot ".) If a part is missing, install() says which and ends the build; a 1 from here
# would only mean an initramfs without it.
check() {
    return 0
}

# The units run under systemd, and the guard in a shell, which every initramfs of dracut has.
# Where emergency.target is a module of its own (dracut 106), a refusal needs it too: OnFailure= leads there.
depends() {
    local dependencies=systemd-initrd module
    # shellcheck disable=SC2154 # dracutbasedir is dracut's
    for module in "$dracutbasedir"/modules.d/[0-9][0-9]systemd-emergency; do
        [[ -d $module ]] && dependencies+=' systemd-emergency'
    done
    echo "$dependencies"
}

installkernel() {
    # hostonly= : what the build machine's own disks need says nothing about the machine that boots.
    hostonly='' instmods -c erofs overlay || {
        dfatal "sealroot: kernel ${kernel-} has no erofs or no overlay filesystem, which a composefs image needs"
        return 1
    }
    # Before Linux 6.12 an image is mounted through a loop device.
    hostonly='' instmods loop "${_sealroot_filesystems[@]}"
    hostonly='' instmods "${_sealroot_hashes[@]}"
    return 0
}

# Ends the build.
_sealroot_fail() {
    dfatal "sealroot: $1"
    dfatal "sealroot: this initramfs could not boot a sealed root, so it is not made."
    exit 1
}

# The strings that begin with "/" in the [trust] table: files and directories of keys.
_sealroot_key_paths() {
    local line table=no text
    while IFS= read -r line || [[ -n $line ]]; do
        if [[ $line =~ ^[[:space:]]*\[ && ! $table == open ]]; then
            table=no
            [[ $line =~ ^[[:space:]]*\[[[:space:]]*[\"\']?trust[\"\']?[[:space:]]*\] ]] && table=yes
        fi
        [[ $table == no && ! $line =~ ^[[:space:]]*[\"\']?trust ]] && continue
        text=${line%%#*}
        while [[ $text =~ [\"\'](/[^\"\']*)[\"\'](.*) ]]; do
            printf '%s\n' "${BASH_REMATCH[1]}"
            text=${BASH_REMATCH[2]}
        done
    done < "$1"
}

# A file of keys, or a directory of them: $1. Who names it: $2. The boot takes a directory as it is (src/boot/trusted-keys.ts): hidden
# files are passed over, everything else in it has to be a key, and one without any key is refused.
_sealroot_install_key() {
    local path=$1 entry found=no root=${dracutsysrootdir-}
    [[ $path == /* ]] || _sealroot_fail "$2 names the key $path, which does not begin with /"
    if [[ -d $root$path ]]; then
        while [[ $path == */ ]]; do path=${path%/}; done
        inst_dir "$path"
        while IFS= read -r -d '' entry; do
            [[ ! -d $entry ]] || _sealroot_fail "$2 names the directory of keys $path, and $entry is a directory: the boot would refuse it"
            inst_multiple "${entry#"$root"}" || _sealroot_fail "cannot install the key $entry"
            found=yes
        done < <(find "$root$path/" -mindepth 1 -maxdepth 1 ! -name '.*' -print0)
        [[ $found == yes ]] || _sealroot_fail "$2 names the directory of keys $path, which holds none"
    elif [[ -e $root$path ]]; then
        inst_multiple "$path" || _sealroot_fail "cannot install the key $path"
    else
        # The policy would refuse every boot, so this is not for a log that nobody reads.
        _sealroot_fail "$2 names the key $path, which does not exist"
    fi
}

_sealroot_install_keys() {
    local path
    while IFS= read -r path; do
        _sealroot_install_key "$path" "$_sealroot_config"
    done < <(_sealroot_key_paths "${dracutsysrootdir-}$_sealroot_config")
}

# The floor: what not-before = "build" in [trust] stands for. A line in dracut's configuration (/etc/dracut.conf.d/*.conf) says which:
#
#   sealroot_not_before=now                     the time of this build (default with not-before = "build"); a SOURCE_DATE_EPOCH
#                                               that the builder has set takes its place, as it does in sealroot commit
#   sealroot_not_before=image                   the modification time of /usr, which is when the image was made (systemd's rule):
#                                               for an initramfs that is built again on the machine that boots it
#   sealroot_not_before=2026-11-01T00:00:00Z    this very time, in this form
#
# Without not-before in the policy the line alone is enough. Where the policy has a date, the later of both holds; the boot sees to
# that. The boot refuses a policy of not-before = "build" in an initramfs in which this file is missing or changed in its form.
_sealroot_install_floor() {
    local root=${dracutsysrootdir-} wanted=${sealroot_not_before-} file line seconds time signed=no
    for file in "$_sealroot_config" /usr/lib/ostree/prepare-root.conf /etc/ostree/prepare-root.conf; do
        [[ -e $root$file ]] || continue
        while IFS= read -r line || [[ -n $line ]]; do
            line=${line%%#*}
            [[ $line =~ not-before[\"\']?[[:space:]]*=[[:space:]]*[\"\']build[\"\'] ]] && : "${wanted:=now}"
            [[ $line =~ (level|enabled)[\"\']?[[:space:]]*=[[:space:]]*[\"\']?signed ]] && signed=yes
        done < "$root$file"
    done
    [[ $wanted ]] || return 0
    [[ $signed == yes ]] || dwarn "sealroot: sealroot_not_before has no effect, since nothing asks for signatures"
    case $wanted in
        now)
            seconds=$(date +%s)
            # dracut 112 sets SOURCE_DATE_EPOCH itself, to the age of its own files: that is not when this was built
            if [[ ${SOURCE_DATE_EPOCH-} ]] && [[ $SOURCE_DATE_EPOCH != "$(stat -c %Y "$dracutbasedir/dracut-functions.sh" 2> /dev/null)" ]]; then
                seconds=$SOURCE_DATE_EPOCH
            fi
            ;;
        image)
            seconds=$(stat -L -c %Y "$root/usr")
            ;;
        [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z)
            seconds=$(date -u -d "$wanted" +%s 2> /dev/null)
            ;;
    esac
    [[ ${seconds-} =~ ^[0-9]+$ ]] && time=$(date -u -d "@$seconds" +%Y-%m-%dT%H:%M:%SZ)
    # a month of 31 days that has 30 comes out of date(1) as another day, or not at all
    if [[ ! ${time-} =~ ^[0-9]{4}-[0-9T:-]+Z$ ]] || [[ $wanted == [0-9]* && $wanted != "$time" ]]; then
        _sealroot_fail "sealroot_not_before: expected now, image, or a time such as 2026-11-01T00:00:00Z; found $wanted"
    fi
    [[ $seconds -ge $_sealroot_earliest ]] ||
        _sealroot_fail "sealroot_not_before=$wanted is $time here (of the clock, SOURCE_DATE_EPOCH or $root/usr), which says nothing; give a time"
    mkdir -p "${initdir:?}${_sealroot_floor%/*}"
    printf '%s\n' "$time" > "$initdir$_sealroot_floor" || _sealroot_fail "cannot write $_sealroot_floor"
    dinfo "sealroot: commits older than $time will be refused"
}

# The value of the key $2 in [composefs] of the key file $1; the last one counts (src/config/keyfile.ts). 1 where there is none.
_sealroot_ostree_value() {
    local line group='' value='' found=1
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line%$'\r'}
        if [[ $line =~ ^[[:space:]]*\[([^][]+)\][[:space:]]*$ ]]; then
            group=${BASH_REMATCH[1]}
        elif [[ $group == composefs && $line =~ ^[[:space:]]*$2[[:space:]]*=[[:space:]]*(.*)$ ]]; then
            value=${BASH_REMATCH[1]}
            found=0
        fi
    done < "$1"
    printf '%s' "$value"
    return "$found"
}

# OSTree's configuration, and the key that the boot takes by it (replacePrepareRoot() in src/trust/policy.ts): OSTree's own module
# knows the default path only. The second file replaces the first, its default key path included; but where the first asks for
# signatures and the second does not, the first one's demand stays, and its key.
_sealroot_install_ostree() {
    local root=${dracutsysrootdir-} default=/etc/ostree/initramfs-root-binding.key file path key='' signed=''
    for file in /usr/lib/ostree/prepare-root.conf /etc/ostree/prepare-root.conf; do
        [[ -e $root$file ]] || continue
        inst_multiple "$file" || _sealroot_fail "cannot install $file"
        path=$(_sealroot_ostree_value "$root$file" keypath) || path=$default
        [[ $path != *\\* ]] || _sealroot_fail "keypath in $file has a backslash, which is not read here: $path"
        if [[ $(_sealroot_ostree_value "$root$file" enabled) == signed ]]; then
            signed=$file
            key=$path
        elif [[ ! $signed ]]; then
            key=$path
        fi
    done
    [[ $key ]] || key=$default
    if [[ $signed ]]; then
        _sealroot_install_key "$key" "$signed, which asks for signatures,"
    elif [[ $key == /* && -e $root$key ]]; then
        # The kernel command line may ask for signatures as well.
        _sealroot_install_key "$key" "OSTree's configuration"
    fi
}

# inst_multiple and not inst_simple for what keeps its place: with --sysroot, inst_simple of older versions looks outside.
install() {
    local root=${dracutsysrootdir-} units=${systemdsystemunitdir:-/usr/lib/systemd/system} file unit

    for file in /usr/bin/sealroot "$units/sealroot-setup-root.service" "$units/sealroot-guard.service" \
        "$units/initrd-switch-root.service.d/sealroot.conf" "$units/ostree-prepare-root.service.d/sealroot.conf"; do
        [[ -e $root$file ]] || _sealroot_fail "$root$file is missing"
    done

    inst_multiple /usr/bin/sealroot || _sealroot_fail "cannot install /usr/bin/sealroot and its libraries"
    # What a composefs-setup-root.service of another module calls, if one is there.
    ln_r /usr/bin/sealroot /usr/bin/composefs-setup-root

    # shellcheck disable=SC2154 # moddir is dracut's
    inst_script "$moddir/guard.sh" /usr/lib/sealroot/guard || _sealroot_fail "cannot install the guard"
    inst_multiple sh || _sealroot_fail "there is no shell for the guard"

    # dracut 109 gave up systemdsystemconfdir outside of host-only mode; a link made below it ends up in the
    # top directory, where systemd does not look. The unit directory holds in all versions.
    for unit in sealroot-setup-root.service sealroot-guard.service; do
        inst_multiple "$units/$unit" || _sealroot_fail "cannot install $unit"
        # shellcheck disable=SC2154 # initdir is dracut's
        mkdir -p "$initdir$units/initrd-root-fs.target.wants"
        ln_r "$units/$unit" "$units/initrd-root-fs.target.wants/$unit"
    done
    inst_multiple "$units/initrd-switch-root.service.d/sealroot.conf" || _sealroot_fail "cannot install the guard's drop-in"
    # OSTree's program, where its module brings it, stays: it boots what sealroot leaves alone.
    inst_multiple "$units/ostree-prepare-root.service.d/sealroot.conf" || _sealroot_fail "cannot install the drop-in for OSTree's unit"
    # One root is mounted once: the unit of the peer, where another module brings it, becomes another name for ours.
    ln -sfn sealroot-setup-root.service "$initdir$units/composefs-setup-root.service"

    # The policy, and the keys that it names.
    if [[ -e $root$_sealroot_config ]]; then
        inst_multiple "$_sealroot_config" || _sealroot_fail "cannot install $_sealroot_config"
        _sealroot_install_keys
    fi
    _sealroot_install_ostree
    _sealroot_install_floor

    # Present in a shell that dracut keeps sourcing other modules into: leave a good status behind.
    return 0
}
