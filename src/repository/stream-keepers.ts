/**
 * Which images the names of streams keep: an OCI image and an OSTree commit have the images that were made of them among their
 * references. For people to read; gc decides by what it has authenticated (gc-mark.ts).
 */

import { SealrootError } from "../errors/index.ts";
import { objectPath } from "../tree/index.ts";
import type { RepositoryContents } from "./contents.ts";
import { openFile } from "./repository.ts";
import { readStream } from "./stream-file.ts";

/**
 * What leads to an image by way of streams, by the image's id in hexadecimal digits: paths of references below `streams/refs`, and what
 * else names a stream. Followed is, as composefs-rs does it, whatever has a link in `streams/`. A stream that cannot be read leads nowhere.
 * @param others names of streams that something outside the repository needs @param advance is told of each stream that was read
 */
export function imagesOfStreams(contents: RepositoryContents, others: readonly { readonly name: string; readonly by: string }[], advance: (items: number) => void): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const images = new Set(contents.category("images").links.flatMap(({ id }) => (id === undefined ? [] : [id.toHex()])));
  const { links, references } = contents.category("streams");
  const streams = new Map(links.flatMap(({ name, id }) => (id === undefined ? [] : [[name, id] as const])));
  const linked = new Map([...streams.values()].map((id) => [id.toHex(), id]));
  const leadsOn = (hex: string): boolean => images.has(hex) || linked.has(hex);
  const known = new Map<string, readonly string[]>();
  for (const { name, by } of [...references.map(({ entry, path }) => ({ name: entry, by: path })), ...others]) {
    const start = name === undefined ? undefined : streams.get(name)?.toHex();
    const reached = new Set(start === undefined ? [] : [start]);
    // a set takes more while it is gone through
    for (const hex of reached) {
      if (images.has(hex)) found.set(hex, [...(found.get(hex) ?? []), by]);
      const id = linked.get(hex);
      if (id === undefined) continue;
      let next = known.get(hex);
      if (next === undefined) {
        next = namedIn(contents, id, leadsOn);
        known.set(hex, next);
        advance(1);
      }
      for (const named of next) reached.add(named);
    }
  }
  return found;
}

function namedIn(contents: RepositoryContents, id: Uint8Array, wanted: (hex: string) => boolean): readonly string[] {
  try {
    using file = openFile(contents.directory, `objects/${objectPath(id)}`);
    return file === undefined ? [] : readStream(file).references.named.map((named) => named.id.toHex()).filter(wanted);
  } catch (error) {
    if (error instanceof SealrootError) return [];
    throw error;
  }
}
