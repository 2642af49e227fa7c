/** The fields of a line that say what an inode is: attributes, and where its data are. Checks come in the order of the C tool. */

import { type Attributes, type Data, isDevice, isRegular, isSymlink } from "../tree/index.ts";
import { unescapeInto } from "./escape.ts";
import { FIELD, type Line } from "./line.ts";
import { int64, uint32, uint64 } from "./number.ts";
import { hexDigit, MAX_PAYLOAD } from "./object-fields.ts";
import { Problem, quote } from "./problem.ts";

/** An image keeps so much of a file inside itself. */
export const MAX_INLINE = 5000;
/** Largest file outside of an image: 1024 chunks of 2^43 bytes. */
export const MAX_EXTERNAL = 2 ** 53;

const DOT = 0x2e;

/** @param mode checked already @throws Problem */
export function attributesOf(line: Line, mode: number): Attributes {
  const { bytes } = line;
  const size = uint64(bytes, line.start(FIELD.size), line.stop(FIELD.size));
  const nlink = uint32(bytes, line.start(FIELD.nlink), line.stop(FIELD.nlink));
  const uid = uint32(bytes, line.start(FIELD.uid), line.stop(FIELD.uid));
  const gid = uint32(bytes, line.start(FIELD.gid), line.stop(FIELD.gid));
  const rdev = uint32(bytes, line.start(FIELD.rdev), line.stop(FIELD.rdev));
  const start = line.start(FIELD.mtime);
  const end = line.stop(FIELD.mtime);
  let dot = start;
  while (dot < end && bytes[dot] !== DOT) dot++;
  const seconds = int64(bytes, start, dot);
  const nanoseconds = uint32(bytes, Math.min(dot + 1, end), end);
  return { mode, nlink, uid, gid, rdev: isDevice(mode) ? rdev : 0, size, seconds, nanoseconds };
}

/** An optional field without its escapes: a view of the line, or a copy; undefined where it is absent. @throws Problem */
function optional(line: Line, field: number, scratch: Uint8Array): Uint8Array | undefined {
  if (line.isAbsent(field)) return undefined;
  const start = line.start(field);
  const end = line.stop(field);
  return line.isEscaped(field) ? scratch.slice(0, unescapeInto(scratch, line.bytes, start, end)) : line.bytes.subarray(start, end);
}

/** What a C string of a field's bytes is; without escapes there is no NUL in it. */
function cut(line: Line, field: number, bytes: Uint8Array | undefined): Uint8Array | undefined {
  const nul = bytes === undefined || !line.isEscaped(field) ? -1 : bytes.indexOf(0);
  return nul < 0 ? bytes : bytes?.subarray(0, nul);
}

/** @param scratch as long as a line at least @throws Problem */
export function dataOf(line: Line, { mode, size }: Attributes, scratch: Uint8Array, strict: boolean, digestSize: 32 | 64): Data {
  const payload = cut(line, FIELD.payload, optional(line, FIELD.payload, scratch));
  const content = optional(line, FIELD.content, scratch);
  if (content !== undefined && content.length !== size) throw new Problem(`Invalid content size ${content.length}, must match size ${signedSize(line)}`);
  // unescaped even where nothing comes of it: a wrong escape is a mistake anywhere
  const digest = cut(line, FIELD.digest, optional(line, FIELD.digest, scratch));
  if (strict && !isDevice(mode) && hasDeviceNumber(line)) throw new Problem("Non-zero devnum on non-device");
  if (isSymlink(mode)) {
    if (payload === undefined || payload.length === 0 || payload.length > MAX_PAYLOAD) throw new Problem("Invalid symlink");
    if (strict && size !== payload.length) throw new Problem(`Invalid symlink size ${payload.length}, must match size ${signedSize(line)}`);
    if (strict && content !== undefined && content.length > 0) throw new Problem("Symlink cannot have content");
    return { kind: "target", bytes: payload };
  }
  if (payload !== undefined && payload.length > MAX_PAYLOAD) throw new Problem("Invalid payload");
  if (content !== undefined && content.length > MAX_INLINE) throw new Problem(`Inline content size ${content.length} exceeds maximum ${MAX_INLINE}`);
  if (!isRegular(mode) || size === 0) return NONE;
  if (content !== undefined) return { kind: "content", bytes: content };
  const object = payload === undefined || payload.length === 0 ? undefined : payload;
  const raw = digest === undefined ? undefined : digestOf(digest, digestSize);
  return object === undefined && raw === undefined ? NONE : { kind: "external", payload: object, digest: raw };
}

const NONE: Data = { kind: "none" };

/** The device number is 64 bits wide until it is stored. */
export const hasDeviceNumber = (line: Line): boolean => uint64(line.bytes, line.start(FIELD.rdev), line.stop(FIELD.rdev)) !== 0;

/** The size as the C tool's messages print it. */
const signedSize = (line: Line): bigint => int64(line.bytes, line.start(FIELD.size), line.stop(FIELD.size));

/** More digits than a digest has are ignored; the C tool fills up missing ones with whatever is in its memory. */
function digestOf(text: Uint8Array, size: number): Uint8Array {
  const digest = new Uint8Array(size);
  for (let at = 0; at < size; at++) {
    const high = hexDigit(text[at * 2] ?? 0);
    const low = hexDigit(text[at * 2 + 1] ?? 0);
    if (high < 0 || low < 0) throw new Problem(`Invalid fs-verity digest ${quote(text)}`);
    digest[at] = (high << 4) | low;
  }
  return digest;
}
