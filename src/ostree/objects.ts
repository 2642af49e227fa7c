/**
 * What a commit refers to and where objects lie, as far as sealroot writes or looks for them.
 * Source: libostree's object types; dirtree `(a(say)a(sayay))`, dirmeta `(uuua(ayay))` with big-endian integers.
 */

import { objectId } from "./commit.ts";
import { write } from "./gvariant-write.ts";

/** An object as it lies in a repository. */
export interface OstreeObject {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly extension: "commit" | "commitmeta" | "dirtree" | "dirmeta";
}

/** Path below a repository's `objects/`. */
export const objectPath = (id: string, extension: OstreeObject["extension"]): string => `${id.slice(0, 2)}/${id.slice(2)}.${extension}`;

const swap32 = (value: number): number => new DataView(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value).buffer).getUint32(0, true);

/** An empty directory: the root of a commit that only names an image. */
export function emptyDirtree(): OstreeObject {
  const bytes = write("(a(say)a(sayay))", [[], []]);
  return { id: objectId(bytes), bytes, extension: "dirtree" };
}

/** Owner and mode (with the file type, 0o40755) of a directory without extended attributes. */
export function dirmeta(uid: number, gid: number, mode: number): OstreeObject {
  const bytes = write("(uuua(ayay))", [swap32(uid), swap32(gid), swap32(mode), []]);
  return { id: objectId(bytes), bytes, extension: "dirmeta" };
}
