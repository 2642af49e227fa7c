# Run in a Debian tree with OSTree: commits the system in /lab-tree and deploys it to the physical root in /lab-stage, all by the
# real ostree. Prints "commit ID" and "argument TEXT".
set -e
repo=/lab-stage/ostree/repo
ostree admin init-fs --modern /lab-stage
ostree admin os-init --sysroot=/lab-stage debian
# where the filesystem has none, as here, files are written without fs-verity, and nothing fails
ostree --repo=$repo config set ex-integrity.composefs maybe
ostree --repo=$repo config set sysroot.bootloader none
ostree --repo=$repo commit --branch=debian --tree=dir=/lab-tree --generate-composefs-metadata --add-metadata-string=version=1 --timestamp=@1780000000 > /dev/null
ostree admin deploy --sysroot=/lab-stage --os=debian --karg=rw debian > /dev/null
echo "commit $(ostree --repo=$repo rev-parse debian)"
sed -n 's/.*\(ostree=[^ ]*\).*/argument \1/p' /lab-stage/boot/loader/entries/*.conf
