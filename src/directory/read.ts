/**
 * A directory as a tree: every entry opened from the descriptor of the directory it is in, never through a link, and looked at through the
 * descriptor that is read from, so that what the tree says of a file is of one file. Mounts below are part of it, as for both peers.
 *
 * Names are walked in the order of their bytes, a directory's content right after it: a file with several names stands in the image where
 * that walk meets it first (composefs-rs, find_canonical_dirs).
 */

import { SealrootError } from "../errors/index.ts";
import { filesystemOf } from "../linux/data.ts";
import { Descriptor, ERRNO, isErrno, O, readInto, SyscallError } from "../linux/index.ts";
import { closeRaw, FileStatus, openNameRaw, readLinkOf, statNameRaw } from "../linux/names.ts";
import { type Attributes, binaryOf, type Inode, isDevice, isDirectory, isRegular, isSymlink, ROOT, type Tree, TreeBuilder, TYPE, typeName, typeOf, type Xattr } from "../tree/index.ts";
import { changed, located, shownPath } from "./errors.ts";
import { DirectoryEntries } from "./entries.ts";
import { finish } from "./finish.ts";
import type { EmptiedDirectory, Recipe } from "./recipe.ts";
import { readPolicy, type SelinuxPolicy } from "./selinux.ts";
import { readPolicyFile } from "./selinux-files.ts";
import { readXattrs, withLabel } from "./xattrs.ts";

/** Whoever takes the content of files: hashes it, and stores it where there is a store. */
export interface ContentSink {
  /**
   * Takes over the descriptor, at its beginning, of a file too large for the image. The digest is delivered later.
   * @param status of the descriptor; reused afterwards
   */
  add(inode: Inode, fd: number, status: FileStatus): void;
  /** Returns when every digest is delivered. @throws ContentFailure */
  drain(): void;
}

/** A sink could not do its work; it knows the inode, and readDirectory() its path. */
export class ContentFailure extends Error {
  readonly inode: Inode;
  /** Of the file, or of the store, which the sink's owner knows; "changed": the file is not what it was when it was opened. */
  readonly failed: "reading" | "writing" | "changed";

  constructor(inode: Inode, failed: "reading" | "writing" | "changed", cause?: unknown) {
    super("the content of a file cannot be had", cause === undefined ? undefined : { cause });
    this.inode = inode;
    this.failed = failed;
  }
}

export type Deliver = (inode: Inode, digest: Uint8Array) => void;

/** Hears of each entry that was found: for progress. */
export type Found = () => void;

/**
 * @param source a directory, opened for reading and not listed before
 * @param makeSink given what takes the digests
 * @throws SealrootError SR-E520 when something cannot be read, SR-E521 when it changed meanwhile, SR-E522 when the tree lacks what the recipe needs;
 * ContentFailure when the sink cannot write
 */
export function readDirectory(source: Descriptor, recipe: Recipe, makeSink: (deliver: Deliver) => ContentSink, found: Found = () => undefined): Tree {
  return new Reader(source, recipe, makeSink, found).read();
}

interface Frame {
  readonly descriptor: Descriptor;
  readonly entries: DirectoryEntries;
  readonly inode: Inode;
  readonly owned: boolean;
  readonly changeSeconds: bigint;
  readonly changeNanoseconds: number;
  /** Whether link counts cannot be relied on (fuse-overlayfs). */
  readonly fuse: boolean;
  readonly device: number;
  /** With a slash at the end, as the policy sees it, one character a byte; empty without a policy. */
  readonly policyPath: string;
  place: number;
  subdirectories: number;
}

const DT = { fifo: 1, characterDevice: 2, directory: 4, blockDevice: 6, regular: 8, symlink: 10, unknown: 0 } as const;
const FUSE_SUPER_MAGIC = 0x65735546;
/** Larger than any file that is kept inside an image. */
const SMALL = new Uint8Array(8192);

class Reader {
  readonly #source: Descriptor;
  readonly #recipe: Recipe;
  readonly #builder: TreeBuilder;
  readonly #sink: ContentSink;
  readonly #found: Found;
  readonly #status = new FileStatus();
  readonly #again = new FileStatus();
  /** Files met before, by device and inode number. */
  readonly #known = new Map<string, Inode>();
  /** Copies of files whose digest is that of the first: pairs. */
  readonly #copies: Inode[] = [];
  readonly #emptied = new Map<string, EmptiedDirectory>();
  readonly #frames: Frame[] = [];
  readonly #policy: SelinuxPolicy | undefined;
  /** What the policy gave each inode that may have further names. */
  readonly #labels = new Map<Inode, Xattr | undefined>();

  constructor(source: Descriptor, recipe: Recipe, makeSink: (deliver: Deliver) => ContentSink, found: Found) {
    this.#source = source;
    this.#recipe = recipe;
    this.#found = found;
    for (const emptied of recipe.emptied) this.#emptied.set(emptied.name, emptied);
    const result = statNameRaw(source.fd, "", this.#status);
    if (result < 0) throw located(source.label, new SyscallError(`statx(${source.label})`, -result));
    if (!isDirectory(this.#status.mode)) throw new SealrootError("SR-E520", { details: [["path", source.label], ["found", `a ${typeName(this.#status.mode) ?? "file"}, not a directory`]] });
    this.#policy = recipe.selinux === "policy" ? this.#guarded("", () => readPolicy((file) => readPolicyFile(source, file))) : undefined;
    const xattrs = this.#guarded("", () => withLabel(readXattrs(source.fd, "for reading", recipe), this.#policy?.label("/", TYPE.directory >> 12)));
    this.#builder = new TreeBuilder(this.#attributes(), xattrs, recipe.algorithm === "sha256" ? 32 : 64);
    this.#sink = makeSink((inode, digest) => this.#builder.inodes.setObject(inode, digest));
  }

  read(): Tree {
    try {
      this.#enter(this.#source, ROOT, false, "/");
      for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
        if (frame.place < frame.entries.count) this.#entry(frame, frame.place++);
        else this.#leave(frame);
      }
      this.#sink.drain();
    } catch (error) {
      if (!(error instanceof ContentFailure) || error.failed === "writing") throw error;
      const path = shownPath(this.#source.label, this.#builder.seal().path(error.inode));
      throw error.failed === "changed" ? changed(path) : located(path, error.cause);
    } finally {
      for (const frame of this.#frames) if (frame.owned) frame.descriptor.close();
    }
    const { inodes } = this.#builder;
    for (let at = 0; at < this.#copies.length; at += 2) {
      const digest = inodes.digest(this.#copies[at + 1] ?? ROOT);
      if (digest !== undefined) inodes.setObject(this.#copies[at] ?? ROOT, digest);
    }
    const tree = this.#builder.seal();
    finish(tree, this.#recipe, this.#source.label, this.#policy?.label("/", TYPE.directory >> 12));
    return tree;
  }

  /** Attributes as the recipe has them, of the status that was taken last. */
  #attributes(): Attributes {
    const { mode, uid, gid, rdev, size, seconds, nanoseconds } = this.#status;
    const epoch = this.#recipe.times === "epoch";
    return { mode, nlink: 1, uid, gid, rdev: isDevice(mode) ? rdev : 0, size: isRegular(mode) ? size : 0, seconds: epoch ? 0n : seconds, nanoseconds: epoch ? 0 : nanoseconds };
  }

  #enter(descriptor: Descriptor, inode: Inode, owned: boolean, policyPath: string): void {
    const { changeSeconds, changeNanoseconds, deviceMajor, deviceMinor } = this.#status;
    const device = deviceMajor * 0x100000 + deviceMinor;
    const parent = this.#frames.at(-1);
    try {
      const fuse = parent?.device === device ? parent.fuse : filesystemOf(descriptor).type === FUSE_SUPER_MAGIC;
      const entries = DirectoryEntries.read(descriptor);
      this.#frames.push({ descriptor, entries, inode, owned, changeSeconds, changeNanoseconds, fuse, device, policyPath, place: 0, subdirectories: 0 });
    } catch (error) {
      const path = this.#path(descriptor.label === this.#source.label ? undefined : new TextEncoder().encode(descriptor.label));
      if (owned) descriptor.close();
      throw located(path, error);
    }
  }

  #leave(frame: Frame): void {
    const result = statNameRaw(frame.descriptor.fd, "", this.#again);
    const same = this.#again.changeSeconds === frame.changeSeconds && this.#again.changeNanoseconds === frame.changeNanoseconds;
    if (result < 0 || !same) throw changed(this.#path());
    this.#builder.inodes.setNlink(frame.inode, 2 + frame.subdirectories);
    if (frame.owned) frame.descriptor.close();
    this.#frames.pop();
  }

  #entry(frame: Frame, place: number): void {
    this.#found();
    const name = frame.entries.name(place);
    const directory = frame.descriptor.fd;
    let type: number = frame.entries.type(place);
    if (type === DT.unknown) {
      const result = statNameRaw(directory, name, this.#status);
      if (result < 0) throw this.#failed(name, result);
      type = typeOf(this.#status.mode) >> 12;
    }
    if (this.#recipe.devices === "skip" && (type === DT.characterDevice || type === DT.blockDevice)) return;
    const readable = type === DT.regular || type === DT.directory;
    // never waits and never becomes the terminal of this process, should something else have taken the name
    const flags = type === DT.directory ? O.RDONLY | O.DIRECTORY : type === DT.regular ? O.RDONLY | O.NONBLOCK | O.NOCTTY : O.PATH;
    let fd = openNameRaw(directory, name, flags);
    if (fd === -ERRNO.EMFILE) {
      // files that wait for their turn are open: those can be waited for
      this.#sink.drain();
      fd = openNameRaw(directory, name, flags);
    }
    if (fd < 0) throw this.#failed(name, fd);
    let keep = false;
    try {
      const result = statNameRaw(fd, "", this.#status);
      if (result < 0) throw this.#failed(name, result);
      if (typeOf(this.#status.mode) >> 12 !== type) throw changed(this.#path(name));
      const policyPath = this.#policy?.substitute(`${frame.policyPath}${binaryOf(name)}`) ?? "";
      const label = this.#policy?.label(policyPath, type);
      const known = isDirectory(this.#status.mode) ? undefined : this.#knownFile(frame, label);
      if (known?.asLink === true) {
        this.#builder.link(frame.inode, name, known.inode);
        this.#builder.inodes.setNlink(known.inode, this.#builder.inodes.nlink(known.inode) + 1);
        return;
      }
      const xattrs = this.#guarded(name, () => withLabel(readXattrs(fd, readable ? "for reading" : "as a path", this.#recipe), label));
      const inode = this.#builder.add(frame.inode, name, this.#attributes(), xattrs);
      keep = this.#content(frame, name, fd, inode, known?.inode, `${policyPath}/`);
    } finally {
      if (!keep) closeRaw(fd);
    }
  }

  /** What is in a file. @param first an inode of the same file, met before @returns whether the descriptor has a new owner */
  #content(frame: Frame, name: Uint8Array, fd: number, inode: Inode, first: Inode | undefined, policyPath: string): boolean {
    const status = this.#status;
    if (isDirectory(status.mode)) {
      frame.subdirectories += 1;
      const emptied = frame.inode === ROOT && this.#emptied.has(new TextDecoder().decode(name));
      if (emptied) this.#builder.inodes.setNlink(inode, 2);
      else this.#enter(new Descriptor(fd, new TextDecoder().decode(name)), inode, true, policyPath);
      return !emptied;
    }
    if (isSymlink(status.mode)) {
      const target = readLinkOf(fd);
      if (typeof target === "number") throw this.#failed(name, target);
      this.#builder.inodes.setData(inode, { kind: "target", bytes: target });
      return false;
    }
    if (!isRegular(status.mode) || status.size === 0) return false;
    if (status.size > this.#recipe.inlineLimit) {
      if (first !== undefined) this.#copies.push(inode, first);
      else this.#sink.add(inode, fd, status);
      return first === undefined;
    }
    this.#builder.inodes.setData(inode, { kind: "content", bytes: this.#guarded(name, () => this.#small(name, fd)) });
    return false;
  }

  #small(name: Uint8Array, fd: number): Uint8Array {
    const { size, changeSeconds, changeNanoseconds } = this.#status;
    const got = readInto(new Descriptor(fd, ""), SMALL.subarray(0, size + 1));
    const result = statNameRaw(fd, "", this.#again);
    if (got !== size || result < 0 || this.#again.changeSeconds !== changeSeconds || this.#again.changeNanoseconds !== changeNanoseconds) throw changed(this.#path(name));
    return SMALL.subarray(0, size);
  }

  /**
   * The inode under which a file with several names is in the tree already. One inode has one label: a name for which the policy has
   * another becomes a file of its own, as everywhere where the recipe copies links.
   */
  #knownFile(frame: Frame, label: Xattr | undefined): { readonly inode: Inode; readonly asLink: boolean } | undefined {
    if (this.#status.nlink < 2 && !frame.fuse) return undefined;
    const key = `${this.#status.deviceMajor}:${this.#status.deviceMinor}:${this.#status.inode}`;
    const inode = this.#known.get(key);
    if (inode !== undefined) return { inode, asLink: this.#recipe.hardLinks === "keep" && this.#labels.get(inode) === label };
    const own = this.#builder.inodes.count;
    this.#known.set(key, own);
    if (label !== undefined) this.#labels.set(own, label);
    return undefined;
  }

  /** For messages: where the walk is, and a name there. */
  #path(name?: Uint8Array): string {
    const labels = this.#frames.slice(1).map(({ descriptor }) => new TextEncoder().encode(descriptor.label));
    return shownPath(this.#source.label, name === undefined ? labels : [...labels, name]);
  }

  #failed(name: Uint8Array, result: number): SealrootError {
    // it was in the listing a moment ago, as something else or at all
    if (result === -ERRNO.ENOENT || result === -ERRNO.ELOOP || result === -ERRNO.ENOTDIR) return changed(this.#path(name));
    return located(this.#path(name), new SyscallError("open", -result));
  }

  #guarded<T>(name: Uint8Array | "", work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (isErrno(error, ERRNO.ENODATA)) throw changed(this.#path(name === "" ? undefined : name));
      throw located(this.#path(name === "" ? undefined : name), error);
    }
  }
}
