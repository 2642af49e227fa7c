/** Which content of an initramfs is worth keeping while it is unpacked: what the checks read. The rest is only counted. */

import type { Keep } from "./cpio.ts";
import { PROGRAM_NAMES } from "./helpers.ts";

/** Enough to see what a program is for. */
const ELF_HEADER = 64;
const LONGEST_TEXT = 1 << 20;
const LONGEST_INDEX = 16 << 20;
/** sealroot is about 110 MB. */
const LONGEST_PROGRAM = 512 << 20;
/** A program of this size under another name is probably sealroot. */
const BIG_PROGRAM = 32 << 20;

/** As long as a configuration or a file of keys may be, which can have any name; and a byte more, so that what is too long shows. */
const SMALL = 65537;

const TEXTS = /(^|\/)(systemd\/system\/|composefs\/[^/]*\.toml$|initrd-release$|os-release$)/;
const INDEXES = /(^|\/)modules\.(dep|builtin)$/;

export const keepForChecks: Keep = (path, size, mode) => {
  if (size <= SMALL) return size;
  if (TEXTS.test(path)) return Math.min(size, LONGEST_TEXT);
  if (INDEXES.test(path)) return Math.min(size, LONGEST_INDEX);
  const executable = (mode & 0o111) !== 0;
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (size <= LONGEST_PROGRAM && (PROGRAM_NAMES.has(name) || (executable && size >= BIG_PROGRAM))) return size;
  return executable ? ELF_HEADER : 0;
};
