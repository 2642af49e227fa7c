/** Where the numbers of an image stand that decide how it is read: what changes elsewhere is mostly content, and changes nothing. */

import { BLOCK, DIRENT, FILE_TYPE, SLOT, STUB_MODE, XATTR_HEADER } from "../../src/erofs/format.ts";
import { InodeRecord } from "../../src/erofs/inode-record.ts";
import { readSuperblock } from "../../src/erofs/superblock.ts";

export interface Place {
  readonly at: number;
  /** Bytes: 1, 2 or 4. */
  readonly width: 1 | 2 | 4;
}

/** i_format, xattr count, mode, nlink of the short form, size, i_u, number, owners of both forms, upper half of the size, the long form's nlink. */
const INODE: readonly (readonly [offset: number, width: 1 | 2 | 4])[] = [[0, 2], [2, 2], [4, 2], [6, 2], [8, 4], [12, 4], [16, 4], [20, 4], [24, 4], [28, 4]];
const LONG: readonly (readonly [offset: number, width: 1 | 2 | 4])[] = [[32, 4], [36, 4], [40, 4], [44, 4]];

/** All of a sound image, its superblock's not among them. */
export function placesOf(image: Uint8Array): readonly Place[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const superblock = readSuperblock(view);
  const places = new Map<number, Place>();
  const add = (at: number, width: 1 | 2 | 4): void => void (at + width <= image.length && places.set(at, { at, width }));
  const seen = new Set<number>();
  const directories = [superblock.rootNid];
  const shared = new Set<number>();
  const record = new InodeRecord(view, superblock);

  const addXattr = (at: number): number => {
    add(at, 1);
    add(at + 1, 1);
    add(at + 2, 2);
    add(at + 4, 1);
    const nameLength = view.getUint8(at);
    add(at + 4 + nameLength, 1);
    return at + Math.ceil((4 + nameLength + view.getUint16(at + 2, true)) / 4) * 4;
  };
  const addInode = (nid: number): void => {
    record.read(nid);
    for (const [offset, width] of INODE) add(record.at + offset, width);
    if (record.xattrsAt - record.at > 32) for (const [offset, width] of LONG) add(record.at + offset, width);
    if (record.end > record.xattrsAt) {
      add(record.xattrsAt, 4);
      add(record.xattrsAt + 4, 1);
      const references = view.getUint8(record.xattrsAt + 4);
      for (let index = 0; index < references; index++) {
        const at = record.xattrsAt + XATTR_HEADER + index * 4;
        add(at, 4);
        shared.add(superblock.xattrsAt + view.getUint32(at, true) * 4);
      }
      for (let at = record.xattrsAt + XATTR_HEADER + references * 4; at < record.end;) at = addXattr(at);
    }
    // a tail, an index of chunks, or the next inode
    add(record.end, 4);
  };

  seen.add(superblock.rootNid);
  let stubs = 0;
  for (let nid = directories.pop(); nid !== undefined; nid = directories.pop()) {
    addInode(nid);
    const { size, tail, blocks, union, end } = record;
    const parts = Array.from({ length: blocks }, (_, block) => (union + block) * BLOCK).map((at, block) => ({ at, size: Math.min(BLOCK, size - block * BLOCK) }));
    if (tail > 0) parts.push({ at: end, size: tail });
    for (const part of parts) {
      const count = view.getUint16(part.at + 8, true) / DIRENT;
      for (let index = 0; index < count; index++) {
        const at = part.at + index * DIRENT;
        const target = view.getUint32(at, true);
        // all alike: a few of them say what there is to say
        if (view.getUint16(target * SLOT + 4, true) === STUB_MODE && view.getUint32(target * SLOT + 16, true) === 0 && ++stubs > 4) continue;
        add(at, 4);
        add(at + 8, 2);
        add(at + 10, 1);
        add(part.at + view.getUint16(at + 8, true), 1);
        if (seen.has(target)) continue;
        seen.add(target);
        if (view.getUint8(at + 10) === FILE_TYPE.directory) directories.push(target);
        else addInode(target);
      }
    }
  }
  for (const at of shared) addXattr(at);
  return [...places.values()];
}
