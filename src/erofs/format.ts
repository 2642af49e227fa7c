/**
 * The numbers of composefs images: an EROFS filesystem behind a header of its own, in the few shapes that composefs writes.
 * Source: Linux fs/erofs/erofs_fs.h; composefs lcfs-erofs.h; composefs-rs erofs/format.rs for version 2.
 */

/**
 * What decides the bytes of an image: v0 and v1 are the C library's (v1 is what `composefs.digest=v1-…` names; it marks directories
 * with whiteouts as opaque), v2 is the first format of composefs-rs.
 */
export type ImageFormat = "v0" | "v1" | "v2";
export const FORMATS: readonly ImageFormat[] = ["v0", "v1", "v2"];

export const BLOCK = 4096;
export const LOG2_BLOCK = 12;
/** Inodes begin at multiples of this; their position divided by it is their number (nid). */
export const SLOT = 32;

export const COMPOSEFS_MAGIC = 0xd078629a;
/** The only one that there has been; what is called an image's version is a field of its own. */
export const HEADER_VERSION = 1;
/** In the header's flags: an inode has an ACL; without it a mounter may switch ACLs off. */
export const FLAG_HAS_ACL = 1;
export const EROFS_AT = 1024;
export const EROFS_MAGIC = 0xe0f5e1e2;
/** Inodes have times; the xattr name filter. */
export const FEATURES_COMPATIBLE = 6;
/** Where the inodes begin. */
export const INODES_AT = EROFS_AT + 128;

export const COMPACT_INODE = 32;
export const EXTENDED_INODE = 64;
export const LAYOUT = { plain: 0, inline: 2, chunked: 4 } as const;

export const XATTR_HEADER = 12;
export const XATTR_ENTRY = 4;
export const DIRENT = 12;

/** A longer tail of directory or file goes to a block of its own. */
export const MAX_TAIL = BLOCK / 2;
/** Longest content that is kept in the image. */
export const MAX_CONTENT = 5000;
/** Longest target of a symbolic link, and longest path below the object store. */
export const MAX_TARGET = 4095;
/** 1024 chunks of 2^43 bytes. */
export const MAX_FILE_SIZE = 2 ** 53;
/** A chunk of the largest size. */
const MAX_CHUNK_BITS = 43;

/**
 * Directories within directories, the root counted: more than any path that the kernel takes has. The C tool writes deeper trees, which
 * its own reader does not survive.
 */
export const MAX_DEPTH = 4096;
/** Said of deeper ones. */
export const TOO_DEEP = `directories are more than ${MAX_DEPTH} deep`;
export const MAX_XATTR_NAME = 255;
export const MAX_XATTR_VALUE = 65535;
/** Of all xattrs of an inode, counted as xattrCost() does. */
export const MAX_XATTRS = 32767;
/** One xattr of an inode at its worst alignment, as the C library counts. */
export const xattrCost = (nameLength: number, valueLength: number): number => 7 + nameLength + valueLength;
/** Of references to the shared table in one inode of v0 and v1. */
export const MAX_REFERENCES = 128;

export const roundUp = (number: number, multiple: number): number => Math.ceil(number / multiple) * multiple;

/** Types of directory entries, by the upper four bits of st_mode; 0 where no file has them. */
const FILE_TYPES = new Uint8Array([0, 5, 3, 0, 2, 0, 4, 0, 1, 0, 7, 0, 6, 0, 0, 0]);
export const FILE_TYPE = { regular: 1, directory: 2, characterDevice: 3, symlink: 7 } as const;
export const fileTypeOf = (mode: number): number => FILE_TYPES[(mode >>> 12) & 15] ?? 0;

/** Logarithm of the chunk size for a file: the smallest power of two that holds it, within limits. @param size 1 to MAX_FILE_SIZE */
export function chunkBits(size: number): number {
  const last = size - 1;
  const high = Math.floor(last / 2 ** 32);
  const bits = high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(last);
  return Math.min(Math.max(bits, LOG2_BLOCK), MAX_CHUNK_BITS);
}

export const chunkCount = (size: number): number => Math.ceil(size / 2 ** chunkBits(size));
/** i_u of every chunked file of v2. */
export const V2_CHUNK_FORMAT = 31;
export const HOLE = 0xffffffff;

/** Names in an image's root that are whiteouts of the empty object directories below it: `00` to `ff`. */
export const STUB_MODE = 0o020644;
