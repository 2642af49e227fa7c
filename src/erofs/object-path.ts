/** Paths below an object store that are names of objects: the other way round than objectPath(). */

const SLASH = 0x2f;
const digit = (character: number): number => (character >= 0x30 && character <= 0x39 ? character - 0x30 : character >= 0x61 && character <= 0x66 ? character - 0x57 : -1);

/** The digest whose objectPath() this is; false when it is none's. */
export function decodePath(path: Uint8Array, digest: Uint8Array): boolean {
  if (path[2] !== SLASH) return false;
  for (let index = 0; index < digest.length; index++) {
    const at = index === 0 ? 0 : index * 2 + 1;
    const high = digit(path[at] ?? 0);
    const low = digit(path[at + 1] ?? 0);
    if (high < 0 || low < 0) return false;
    digest[index] = (high << 4) | low;
  }
  return true;
}
