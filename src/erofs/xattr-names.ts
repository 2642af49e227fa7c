/**
 * Names of extended attributes as EROFS stores them, a number for the prefix and the rest; and the names with which composefs
 * talks to overlayfs. Source: Linux fs/erofs/xattr.h, Documentation/filesystems/overlayfs.rst; composefs lcfs-writer-erofs.c.
 */

import { bytesOf } from "../tree/index.ts";
import { xxh32 } from "./xxh32.ts";

const PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
  ["user.", 1],
  // as prefixes, not as whole names: both tools store a longer name with the rest behind
  ["system.posix_acl_access", 2],
  ["system.posix_acl_default", 3],
  ["trusted.", 4],
  ["security.", 6],
];
/** v2 writes it, the C library only reads it. */
const LUSTRE = ["lustre.", 5] as const;
const WITH_LUSTRE = [...PREFIXES, LUSTRE];

export interface StoredName {
  readonly index: number;
  /** One character a byte. */
  readonly suffix: string;
}

/** @param name full name, one character a byte @param lustre whether `lustre.` is a prefix as well: v2 */
export function storedName(name: string, lustre: boolean): StoredName {
  for (const [prefix, index] of lustre ? WITH_LUSTRE : PREFIXES) if (name.startsWith(prefix)) return { index, suffix: name.slice(prefix.length) };
  return { index: 0, suffix: name };
}

/** The prefix that a number stands for; undefined for a number that composefs does not write. */
export function prefixOf(index: number): string | undefined {
  return index === 0 ? "" : WITH_LUSTRE.find(([, number]) => number === index)?.[0];
}

const FILTER_SEED = 0x25bbe08f;

/** The bit of an inode's name filter that a name clears. */
export function filterBit({ index, suffix }: StoredName): number {
  return (1 << (xxh32(bytesOf(suffix), FILTER_SEED + index) & 31)) >>> 0;
}

/** ACLs: images with one of them have a flag in their header. */
export const ACL_NAMES: readonly string[] = ["system.posix_acl_access", "system.posix_acl_default"];
export const SELINUX = "security.selinux";

/** What overlayfs acts upon; the same names in a tree are the user's own, and are escaped. */
export const OVERLAY = "trusted.overlay.";
export const ESCAPED = "trusted.overlay.overlay.";
export const METACOPY = `${OVERLAY}metacopy`;
export const REDIRECT = `${OVERLAY}redirect`;
export const OPAQUE = `${OVERLAY}opaque`;

/** On the empty file that stands for a whiteout. */
export const WHITEOUT_MARKS: readonly string[] = [`${ESCAPED}whiteout`, "user.overlay.whiteout"];
/** On its directory. */
export const WHITEOUTS_MARKS: readonly string[] = [`${ESCAPED}whiteouts`, "user.overlay.whiteouts"];
/** On its directory, since v1, with the value `x`. */
export const OPAQUE_MARKS: readonly string[] = [`${ESCAPED}opaque`, "user.overlay.opaque"];

export const escape = (name: string): string => (name.startsWith(OVERLAY) ? ESCAPED + name.slice(OVERLAY.length) : name);
