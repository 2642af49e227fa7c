/** The only home of bun:ffi: system calls, ioctls, errno and owned descriptors, typed, without policy. */
export { btrfsDevice } from "./btrfs.ts";
export { sendDatagram } from "./datagram.ts";
export { Descriptor } from "./descriptor.ts";
export { type Listing, listDirectory } from "./directory.ts";
export { ERRNO, errnoName, errnoText } from "./errno.ts";
export {
  BENEATH, BENEATH_NO_LINKS, type DeviceNumber, type DirectoryDescriptor, type FileFacts, getXattr, HERE, IN_ROOT, isLink, isTerminal, makeDirectory, makeSymlink, O, openAt, openPath,
  readAt, readInto, readLink, readUpTo, removeDirectory, removeFile, renameNoReplace, reopen, replaceFile, RESOLVE, setOwnerAndPermissions, setXattr, statAt, tryLock, writeAll,
} from "./files.ts";
export { attachLoop } from "./loop.ts";
export {
  attachBeneath, attachMount, cloneMount, detachMount, FilesystemContext, MOUNT_ATTR, setIdMapping, setMountAttributes,
} from "./mount-api.ts";
export { strerror } from "./strerror.ts";
export { isErrno, SyscallError } from "./syscall-error.ts";
export { measureVerity, type VerityMeasurement } from "./verity.ts";
