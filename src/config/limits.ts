/** `size` and `inodes`: how much a transient layer may hold. */

import type { TransientLimits } from "./policy.ts";
import type { Section } from "./section.ts";

export const LIMIT_KEYS = ["size", "inodes"] as const;

const SHIFT: Readonly<Record<string, number>> = { "": 0, K: 10, M: 20, G: 30, T: 40 };
const SIZE = 'bytes as a number, or a string such as "512M" (K, M, G, T: powers of 1024) or "20%" of memory (1% to 100%)';
const INODES = "a whole number of at least 1";

/**
 * Checked here and written in one way, so that the kernel's more generous reading of tmpfs options
 * (Documentation/filesystems/tmpfs.rst) is never asked. Zero would mean "no limit" to it and is refused.
 */
export function readLimits(section: Section): TransientLimits {
  return { size: readSize(section), inodes: section.integer("inodes", 1, Number.MAX_SAFE_INTEGER, INODES) };
}

function readSize(section: Section): string | undefined {
  const value = section.value("size");
  if (value === undefined) return undefined;
  if (typeof value === "string") {
    const [, share] = /^([0-9]{1,3})%$/.exec(value) ?? [];
    if (share !== undefined && Number(share) >= 1 && Number(share) <= 100) return `${Number(share)}%`;
    const [, count, unit] = /^([0-9]{1,15})([KMGT]?)$/i.exec(value) ?? [];
    const bytes = count === undefined || unit === undefined ? 0 : Number(count) * 2 ** (SHIFT[unit.toUpperCase()] ?? 0);
    if (bytes >= 1 && Number.isSafeInteger(bytes)) return String(bytes);
  } else if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) {
    return String(value);
  }
  throw section.wrong("size", SIZE);
}
