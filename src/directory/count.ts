/** How many names there are below a directory, from listings alone: what progress counts towards, a fraction of the work of reading. */

import { Descriptor, O } from "../linux/index.ts";
import { closeRaw, listNames, openNameRaw } from "../linux/names.ts";

const DIRECTORY = 4;
/** Enough for a person to see how far it is; a deeper tree is counted that far. */
const DEEPEST = 256;

/** @param source opened for reading; its own listing is not used up */
export function countNames(source: Pick<Descriptor, "fd">): number {
  return count(source.fd, new Uint8Array([0x2e]), 0);
}

function count(parent: number, name: Uint8Array, depth: number): number {
  const fd = openNameRaw(parent, name, O.RDONLY | O.DIRECTORY);
  if (fd < 0 || depth > DEEPEST) return 0;
  const directories: Uint8Array[] = [];
  let found = 0;
  try {
    listNames({ fd, label: "" }, (buffer, start, end, type) => {
      found += 1;
      if (type === DIRECTORY) directories.push(buffer.slice(start, end));
    });
    for (const directory of directories) found += count(fd, directory, depth + 1);
  } catch {
    // whoever reads the directory says what is wrong with it
  } finally {
    closeRaw(fd);
  }
  return found;
}
