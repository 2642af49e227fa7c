/**
 * Every failure sealroot can report, as data: code, exit status, meaning, next step.
 *
 * Codes and exit statuses are an interface: people search for them, pipelines branch on them.
 * They are only ever added, never renumbered. `sealroot explain` prints this table.
 */

export interface CatalogueEntry {
  /** Process exit status, distinct for each code (1 is left to the runtime, 126+ to the shell). */
  readonly exit: number;
  /** What could not be done, as the first line of the console block says it. */
  readonly title: string;
  /** What it usually means, for a person who looks at a machine that did not boot. */
  readonly meaning: string;
  /** The next step. */
  readonly next: string;
}

const entry = (exit: number, title: string, meaning: string, next: string): CatalogueEntry => ({ exit, title, meaning, next });

const catalogue = {
  // 1xx: what we were told (arguments, configuration, kernel command line, environment)
  "SR-E100": entry(2, "the arguments are not understood", "an option is unknown, repeated, or lacks its value, or what is given cannot be used here", "see: sealroot --help"),
  "SR-E101": entry(10, "the configuration cannot be used", "the configuration in the initramfs is unreadable or not valid", "correct the file, rebuild the initramfs"),
  "SR-E102": entry(11, "the kernel command line names no image", "neither composefs.digest= nor composefs= is on the kernel command line", "boot another entry, or add the argument that the image builder printed"),
  "SR-E103": entry(12, "no image argument can be read", "every composefs argument is malformed or of a version this sealroot does not know", "boot another entry; install a sealroot that knows this format"),
  "SR-E104": entry(13, "/proc is not mounted", "sealroot needs /proc for the kernel command line and for descriptor paths", "mount -t proc proc /proc, then run it again"),
  "SR-E105": entry(14, "the kernel refuses for lack of privilege", "mounting needs CAP_SYS_ADMIN", "run as root"),
  "SR-E106": entry(15, "the policy does not allow to switch verity off", "the argument carries `?`, the policy in the initramfs asks for more", "boot an entry without `?`, or set insecure-argument in the initramfs"),
  "SR-E107": entry(16, "the policy asks for a signature", "level = \"signed\" and no signed commit names this image", "sign the image, or boot the previous entry"),
  "SR-E108": entry(17, "a test option is refused by the policy", "--root-fs mounts a tree that nothing authenticates", "remove --root-fs"),
  "SR-E109": entry(19, "there is no memory for compiled code", "the kernel refuses 2.25 GiB of address space that is writable and executable; sealroot's runtime compiles code as it runs, and makes its system calls through it", "remove MemoryDenyWriteExecute= and LimitAS= from the unit, raise ulimit -v; with SELinux, allow execmem"),

  // 2xx: finding and authenticating the image
  "SR-E200": entry(20, "the physical root cannot be opened", "the filesystem that holds the repository is not mounted where it is expected", "check root= and the sysroot mount"),
  "SR-E201": entry(21, "there is no composefs repository", "the physical root has no composefs/ directory; it may be another disk", "check root=; install an image"),
  "SR-E202": entry(22, "the repository is of a kind this version cannot use", "meta.json is damaged, of a newer version, or asks for a feature that is not known here", "boot an entry with a newer sealroot"),
  "SR-E203": entry(23, "no image that the command line names is in the repository", "the image was deleted, or the boot entry belongs to another disk", "boot another entry; sealroot plan shows what was looked for"),
  "SR-E204": entry(24, "a path in the repository leads out of it", "a symbolic link points outside the physical root, or a part has the wrong type", "treat the disk as tampered with; boot the previous entry"),
  "SR-E210": entry(30, "the image does not match its digest", "the image file was replaced or belongs to another version", "boot the previous entry, then reinstall this image"),
  "SR-E211": entry(31, "the image has no fs-verity", "the image file was copied without fs-verity, so the kernel cannot vouch for it", "boot the previous entry, then: fsverity enable on the object, if its digest is right"),
  "SR-E212": entry(32, "fs-verity is not available for the image", "the filesystem or the kernel is built without fs-verity, or the filesystem feature is off", "ext4: tune2fs -O verity; other filesystems: ext4, btrfs and f2fs have it"),
  "SR-E213": entry(33, "the image is not an EROFS image", "the file has no EROFS superblock: it is something else, or cut short; if its digest was verified, it was built wrong", "boot the previous entry, then reinstall this image"),
  "SR-E214": entry(34, "the image cannot be read", "reading the image failed; with fs-verity this means that bytes on the disk were changed", "treat the disk as damaged; boot the previous entry"),

  // 22x, 23x: signatures
  "SR-E220": entry(100, "the commit is not signed", "a commit for this image was found, with no signature beside it; signatures are lost when only the commit is copied", "sign the commit: sealroot sign; or copy its .commitmeta; or boot the previous entry"),
  "SR-E221": entry(101, "no trusted key has signed the image", "the signatures are by other keys, or over other bytes than these: a changed commit, or a signature of another one", "sign with a key that the initramfs trusts, or boot the previous entry"),
  "SR-E222": entry(102, "the key that signed the image is revoked", "the policy in the initramfs lists this key as revoked", "boot an entry signed with a current key"),
  "SR-E223": entry(103, "too few trusted keys have signed the image", "the policy asks for signatures by several keys; two by the same key count as one", "let another key sign the commit, or boot the previous entry"),
  "SR-E224": entry(104, "the signature is not valid", "a signature is damaged, of the wrong length, or said to be by a trusted key that did not make it for these bytes", "copy the commit and its signatures again, or boot the previous entry"),
  "SR-E225": entry(105, "the commit is malformed", "the bytes are no OSTree commit in normal form", "write the commit again: sealroot commit"),
  "SR-E226": entry(106, "the commit does not match its id", "a commit's id is the SHA-256 of its bytes; this file holds a changed commit or another one", "treat the disk as tampered with; boot the previous entry"),
  "SR-E227": entry(107, "the commit is for another image", "what the commit says about its image, if anything, is not the digest of this one", "write a commit for this image: sealroot commit; or boot the previous entry"),
  "SR-E228": entry(108, "the image is older than the policy allows", "not-before in the initramfs refuses commits older than this, and signatures that carry no date", "boot a newer entry"),
  "SR-E229": entry(109, "a limit of the signature check is exceeded", "a commit, its signatures or the keys are larger or more than any real ones", "look at what lies in composefs/commits; treat the disk as tampered with"),
  "SR-E230": entry(110, "a file of trusted keys cannot be read", "the policy names a file that is not in the initramfs", "put it there, rebuild the initramfs"),
  "SR-E231": entry(111, "there is no trusted key", "the policy asks for signatures, and the files it names hold no public key", "put a key there, rebuild the initramfs"),
  "SR-E232": entry(112, "a file of trusted keys is malformed", "a line is neither a public key in base64 nor part of a PEM block", "correct the file, rebuild the initramfs"),
  "SR-E233": entry(113, "the private key cannot be used", "it is neither PEM with PKCS#8 nor OSTree's base64 of 64 bytes, or not Ed25519", "make one: sealroot keygen"),
  "SR-E234": entry(114, "the signatures cannot be read", "the commit's detached metadata (.commitmeta) is damaged", "copy it again, or sign again: sealroot sign"),
  "SR-E235": entry(115, "there is a file of that name already", "a key, a commit or a signature is never overwritten", "choose another name, or move the old file away"),
  "SR-E236": entry(116, "a file cannot be written", "the directory does not exist, is read-only or full, or may not be written to", "check the path, the permissions and the space"),

  // 24x: OSTree deployments
  "SR-E240": entry(50, "the OSTree deployment cannot be found", "ostree= on the kernel command line names no deployment of this disk", "check root= and ostree=; boot another entry"),
  "SR-E241": entry(51, "the OSTree deployment is not where deployments are", "ostree= leads to something that is no deployment, or a part of the deployment is a link", "treat the disk as tampered with; boot the previous entry"),
  "SR-E242": entry(52, "the OSTree deployment has no composefs image", "the deployment has no .ostree.cfs; OSTree writes one where composefs is enabled in the tree that is deployed", "enable composefs in the tree's prepare-root.conf and deploy again, or boot the previous entry"),
  "SR-E243": entry(53, "a deployment without composefs is not for sealroot", "neither the policy nor prepare-root.conf in the initramfs asks for composefs", "OSTree's own ostree-prepare-root boots plain deployments; or set enabled = yes, verity or signed in prepare-root.conf"),

  // 245 to 250: what was signed, and is not what is asked for
  "SR-E245": entry(120, "the image is not signed for all who ask", "[trust] and OSTree's side (prepare-root.conf, or its argument on the command line) both ask for signatures; trusted keys of one have signed the commit, none of the other", "sign the commit with a key of each as well: sealroot sign; or boot the previous entry"),
  "SR-E246": entry(121, "the initramfs does not say when it was built", "not-before is to be what the initramfs was built with, and the file that says it is missing or not what the dracut module writes", "rebuild the initramfs with sealroot's dracut module, or set not-before to a date"),
  "SR-E247": entry(122, "the signature is of something else", "a trusted key made this signature for another commit or image, which lies on the disk as well", "treat the disk as tampered with; copy the commit and its own signatures again, or boot the previous entry"),
  "SR-E248": entry(123, "bytes were appended to the commit", "the file begins with the commit that its name says, and goes on behind its end", "copy the commit again; if nobody has touched it, treat the disk as tampered with"),
  "SR-E249": entry(124, "the commit is damaged", "the file holds neither the commit that its name says nor any other whole one: it was cut short or overwritten", "copy the commit again, or boot the previous entry"),
  "SR-E250": entry(125, "another signed commit has the place of this one", "the file holds a commit that a trusted key has signed, and not the one that its name says", "treat the disk as tampered with; boot the previous entry"),

  // 3xx: mounting
  "SR-E300": entry(40, "the kernel cannot mount EROFS", "the EROFS driver is not in the kernel or not in the initramfs", "rebuild the initramfs with the erofs module: sealroot check-initramfs"),
  "SR-E301": entry(41, "the kernel cannot mount overlayfs", "the overlay driver is not in the kernel or not in the initramfs", "rebuild the initramfs with the overlay module: sealroot check-initramfs"),
  "SR-E302": entry(42, "the kernel cannot enforce verity", "overlayfs learned verity=require in Linux 6.6; this kernel is older or built without it", "boot a kernel of 6.6 or later; or put `?` before the digest to boot unverified"),
  "SR-E303": entry(43, "the image cannot be mounted", "the kernel refused the EROFS image", "boot the previous entry; the kernel's own words are above"),
  "SR-E304": entry(44, "the overlay cannot be mounted", "the kernel refused the overlay of image and objects", "the kernel's own words are above; see also dmesg"),
  "SR-E305": entry(45, "the deployment has no state directory", "state/deploy/<digest> is absent for every digest on the command line", "create it, or set mount = \"transient\" or \"none\" for etc and var"),
  "SR-E306": entry(46, "a directory of the deployment cannot be mounted", "etc or var of the deployment is missing, is of the wrong type, or leads out of the physical root", "look at state/deploy/<digest> on the physical root"),
  "SR-E307": entry(47, "a transient layer cannot be made", "the kernel refused the tmpfs or its limits", "check size and inodes in the configuration"),
  "SR-E308": entry(48, "the new root cannot be put in place", "the kernel refused to attach the assembled root", "the kernel's own words are above"),

  // 4xx: the proof before switch-root
  "SR-E400": entry(60, "the new root mounts but cannot be read", "an object is missing, was changed, or has no fs-verity; or the kernel's overlay verity is broken (Linux 7.0.1 to 7.0.8)", "boot the previous entry or another kernel"),
  "SR-E401": entry(61, "the new root has no init program", "the image is not a bootable system, or init= names a file that it lacks", "check the image, and init= on the kernel command line"),

  // 50x: images as files
  "SR-E500": entry(25, "the tree cannot be written as an image", "something in it is larger, longer or more than the image format has room for", "leave the file out, or change it"),
  "SR-E501": entry(26, "the file is not a composefs image", "it does not begin as composefs images do", "give the path of an image: a file that mkcomposefs or sealroot image create wrote"),
  "SR-E502": entry(27, "the image is of a version that is not known", "a newer tool wrote it, or its first bytes are damaged", "use a newer sealroot"),
  "SR-E503": entry(28, "the image is malformed", "the file is damaged, or no composefs tool wrote it", "write the image again, or fetch it again; compare its digest"),

  // 51x: dumpfiles
  "SR-E510": entry(29, "the dumpfile is malformed", "a line does not say what a file of the tree is, or says what no image can hold", "correct the line, or write the dumpfile again: composefs-info dump"),

  // 52x: making repositories and images
  "SR-E520": entry(83, "the directory cannot be read", "something in it may not be read, or the disk fails", "run as root; the path and the kernel's own words are above"),
  "SR-E521": entry(84, "a file changed while it was read", "something writes to the directory, and an image of half of a change helps nobody", "stop what writes there, or make the image from a snapshot"),
  "SR-E522": entry(85, "the directory is not what the recipe is for", "the recipe takes metadata from /usr, or empties a directory, that is not there", "give the root of a system, or another recipe: sealroot image create --help"),
  "SR-E523": entry(86, "there is a repository already, of another kind", "a repository keeps its hash and its image format for good: its objects are named by it", "make another repository, or use this one as it is"),
  "SR-E524": entry(87, "the filesystem has no fs-verity", "without it nothing notices when an object is changed", "ext4: tune2fs -O verity; btrfs and f2fs have it; or choose to do without: sealroot repo init --insecure"),
  "SR-E525": entry(88, "an object cannot be written", "the filesystem of the repository is full or read-only, or the repository may not be written to", "check the space and the permissions, then run it again: what is there already is kept"),
  "SR-E526": entry(89, "the recipe cannot be used", "the file is no recipe, or one with rules that this sealroot does not know", "give a recipe that sealroot image inspect printed, or the name of a preset"),
  "SR-E527": entry(90, "the repository is for other images", "all objects of a repository are named by one hash, which the recipe has to use too", "make a repository for this hash: sealroot repo init --algorithm; or leave the algorithm to the repository"),
  "SR-E528": entry(91, "the SELinux policy cannot be used", "the files in etc/selinux of the directory are malformed or cannot be read", "correct the policy, or use a recipe without it"),

  // 54x: repositories, checked and cleaned up
  "SR-E540": entry(54, "the repository is damaged", "an object does not have the content that its name says, something that an image needs is missing, or something lies where it does not belong", "restore what is bad from a good copy: sealroot fsck --repair FROM"),
  "SR-E541": entry(55, "not everything could be repaired", "the source does not hold every object that is bad or missing, or holds it with other content", "repair from another source, or build or fetch the image again"),
  "SR-E542": entry(56, "nothing was removed: what is still needed is not known", "an image, a stream, a reference or a boot entry that keeps others cannot be read, so what it keeps would be lost", "repair or remove what is named above, then run it again: sealroot fsck"),
  "SR-E543": entry(57, "the repository is in use", "another program reads or writes it, and this one needs it for itself", "run it again when the other has ended, or with --wait"),
  "SR-E544": entry(58, "there is no such image", "nothing in the repository has this digest or name, and there is no such file", "see: sealroot image ls"),
  "SR-E545": entry(59, "a stream is damaged", "the object is no splitstream, or one that is cut short", "repair it from a good copy: sealroot fsck --repair FROM; or import it again"),
  "SR-E546": entry(62, "objects that the image needs are missing", "an image holds no file content: that lies in the repository's objects, which have to be there first", "bring the objects, or leave them for later with --allow-missing"),
  "SR-E547": entry(63, "the image is not the one that was expected", "the file's digest is another one than --digest names", "copy the file again; if it was built again, see what has changed: sealroot image diff"),
  "SR-E548": entry(64, "the repository cannot be changed", "its filesystem is read-only or full, or it may not be written to", "remount it read-write, run as root, check the space"),
  "SR-E549": entry(65, "the name stands for several images", "more than one image begins with these digits", "give more digits"),

  // 6xx: check-initramfs
  "SR-E600": entry(70, "the initramfs cannot boot a composefs root", "see the list of findings", "install what is missing, rebuild the initramfs"),
  "SR-E601": entry(71, "the file is not an initramfs", "it is neither a cpio archive, nor compressed by a method the kernel knows, nor a UKI", "give the path of an initramfs or a UKI"),
  "SR-E602": entry(72, "the initramfs is damaged", "it begins like an initramfs but is cut short or breaks a rule of its format; the kernel would unpack a part of it at most", "build it again; if it was copied, compare the copy with the original"),
  "SR-E603": entry(73, "the file cannot be read", "it does not exist, is no regular file, or may not be read", "check the path and the permissions"),
  "SR-E610": entry(75, "the boot was stopped: the root is not a sealed image", "an argument or the policy asks for a sealed root, and sealroot did not mount one; its unit is masked, missing, or was skipped", "see: journalctl -b -u sealroot-setup-root; check the initramfs: sealroot check-initramfs"),
  "SR-E615": entry(76, "this boot would be left to another program", "neither an argument nor the policy asks for a sealed image, so the boot goes on without sealroot, and nothing is verified", "to have it sealed: name an image on the command line, or ask for one in [trust] of the policy or in prepare-root.conf"),
  "SR-E616": entry(77, "the private key would not be its owner's alone", "the file system does not keep permissions as they are set, or gives the file to somebody else; FAT does so; no key was written", "write it elsewhere, such as /dev/shm or root's home, or mount that file system with umask=077 and your own uid"),
  "SR-E617": entry(78, "what was to be printed could not be", "standard output is closed, or what it leads to is full; what the command was asked to do is done", "give it a standard output that can be written to; a command that makes files has made them"),

  // 7xx: status and report
  "SR-E700": entry(80, "this system was not booted by sealroot", "there is no /run/sealroot/boot.json and / is not a composefs mount", "see: findmnt /"),
  "SR-E701": entry(81, "the boot report cannot be read", "/run/sealroot/boot.json is damaged", "see: journalctl -b -t sealroot"),
  "SR-E702": entry(82, "there is no such code", "codes look like SR-E210", "sealroot explain lists them"),

  // 9xx: ourselves
  "SR-E900": entry(99, "sealroot itself failed", "an unexpected error inside sealroot; please report it", "report this text; boot the previous entry"),
  "SR-E901": entry(98, "the executable is damaged", "the program is missing from it: something rewrote or cut the file after it was built", "install the file as it was built"),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;

export const CATALOGUE: Readonly<Record<ErrorCode, CatalogueEntry>> = catalogue;
