/**
 * The mount API by descriptors (fsopen(2), fsconfig(2), fsmount(2), open_tree(2), move_mount(2), mount_setattr(2)).
 * Numbers: include/uapi/linux/mount.h. No policy here.
 */

import { Descriptor } from "./descriptor.ts";
import { AT_EMPTY_PATH, AT_FDCWD, type DirectoryDescriptor } from "./files.ts";
import { check, cString, rawSyscall } from "./syscall.ts";

const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG = { SET_FLAG: 0, SET_STRING: 1, SET_FD: 5, CMD_CREATE: 6 } as const;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const AT_RECURSIVE = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const MOVE_MOUNT_BENEATH = 0x200;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const MS_PRIVATE = 1 << 18;

/** MOUNT_ATTR_* of mount_setattr(2) and fsmount(2) */
export const MOUNT_ATTR = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8 } as const;

/** A filesystem being configured; what the kernel writes into its log goes into every error. */
export class FilesystemContext implements Disposable {
  readonly #descriptor: Descriptor;
  readonly #type: string;

  /** fsopen(2); loads the driver's module where the kernel can. ENODEV: no such filesystem. */
  constructor(type: string) {
    this.#type = type;
    this.#descriptor = new Descriptor(check(rawSyscall("fsopen", cString(type), FSOPEN_CLOEXEC), () => `fsopen("${type}")`), `fsopen ${type}`);
  }

  setFlag(key: string): void {
    this.#set(rawSyscall("fsconfig", this.#descriptor.fd, FSCONFIG.SET_FLAG, cString(key), null, 0), key);
  }

  setString(key: string, value: string): void {
    this.#set(rawSyscall("fsconfig", this.#descriptor.fd, FSCONFIG.SET_STRING, cString(key), cString(value), 0), `${key}=${value}`);
  }

  setDescriptor(key: string, value: Pick<Descriptor, "fd" | "label">): void {
    this.#set(rawSyscall("fsconfig", this.#descriptor.fd, FSCONFIG.SET_FD, cString(key), null, value.fd), `${key}=<${value.label}>`);
  }

  /** Creates the superblock and a detached mount of it. @param attributes MOUNT_ATTR bits */
  mount(attributes: number, label: string): Descriptor {
    this.#set(rawSyscall("fsconfig", this.#descriptor.fd, FSCONFIG.CMD_CREATE, null, null, 0), "create");
    const fd = check(rawSyscall("fsmount", this.#descriptor.fd, FSMOUNT_CLOEXEC, attributes), () => `fsmount(${this.#type})`, () => this.log());
    return new Descriptor(fd, label);
  }

  /** The kernel's messages so far, without their level letter ("e ", "w ", "i "). Reading takes them out. */
  log(): string[] {
    const lines: string[] = [];
    const buffer = new Uint8Array(1024);
    const decoder = new TextDecoder();
    // bounded: the kernel keeps at most eight messages
    for (let i = 0; i < 16; i++) {
      const got = rawSyscall("read", this.#descriptor.fd, buffer, buffer.byteLength);
      if (got <= 0) break;
      lines.push(decoder.decode(buffer.subarray(0, got)).trim().replace(/^[ewi] /, ""));
    }
    return lines;
  }

  [Symbol.dispose](): void {
    this.#descriptor.close();
  }

  #set(result: number, what: string): void {
    check(result, () => `fsconfig(${this.#type}, ${what})`, () => this.log());
  }
}

/** open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at (or below) a directory. */
export function cloneMount(directory: DirectoryDescriptor, path: string, options: { readonly recursive?: boolean } = {}): Descriptor {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (options.recursive === true ? AT_RECURSIVE : 0);
  const fd = check(rawSyscall("open_tree", directory.fd, cString(path), flags), () => `open_tree(${directory.label}${path === "" ? "" : `, ${path}`})`);
  return new Descriptor(fd, directory.label);
}

/** move_mount(2): puts a mount (detached or not) on the directory that `target` holds open. */
export function attachMount(mount: Descriptor, target: DirectoryDescriptor): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  check(rawSyscall("move_mount", mount.fd, cString(""), target.fd, cString(""), flags), () => `move_mount(${mount.label}, ${target.label})`);
}

/** move_mount(2) with MOVE_MOUNT_BENEATH (Linux 6.5): under the mount whose root `top` holds open. */
export function attachBeneath(mount: Descriptor, top: DirectoryDescriptor): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | MOVE_MOUNT_BENEATH;
  check(rawSyscall("move_mount", mount.fd, cString(""), top.fd, cString(""), flags), () => `move_mount(${mount.label}, beneath ${top.label})`);
}

/** mount_setattr(2): sets attribute bits on one mount; `propagationPrivate` also takes it out of its peer group. */
export function setMountAttributes(mount: DirectoryDescriptor, attributes: number, propagationPrivate = false): void {
  const attr = new BigUint64Array(4);
  attr[0] = BigInt(attributes);
  attr[2] = propagationPrivate ? BigInt(MS_PRIVATE) : 0n;
  const bytes = new Uint8Array(attr.buffer);
  check(rawSyscall("mount_setattr", mount.fd, cString(""), AT_EMPTY_PATH, bytes, bytes.byteLength), () => `mount_setattr(${mount.label})`);
}

/** mount_setattr(2) with MOUNT_ATTR_IDMAP: owners on this mount, still detached, are those that a user namespace maps them to. */
export function setIdMapping(mount: DirectoryDescriptor, namespace: DirectoryDescriptor): void {
  const MOUNT_ATTR_IDMAP = 0x100000n;
  const attr = new BigUint64Array([MOUNT_ATTR_IDMAP, 0n, 0n, BigInt(namespace.fd)]);
  const bytes = new Uint8Array(attr.buffer);
  check(rawSyscall("mount_setattr", mount.fd, cString(""), AT_EMPTY_PATH, bytes, bytes.byteLength), () => `mount_setattr(${mount.label}, idmap ${namespace.label})`);
}

/** umount2(2) with MNT_DETACH, with all that is mounted below: the mount on top at a path, or the very mount whose root a descriptor holds. */
export function detachMount(target: string | Descriptor): void {
  const [path, flags, label] = typeof target === "string" ? [target, MNT_DETACH | UMOUNT_NOFOLLOW, target] : [target.path, MNT_DETACH, target.label];
  check(rawSyscall("umount2", cString(path), flags), () => `umount2(${JSON.stringify(label)}, MNT_DETACH)`);
}

export { AT_FDCWD };
