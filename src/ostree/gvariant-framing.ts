/**
 * Where the children of a container lie: framing offsets, alignment, padding. Positions only, nothing is copied.
 *
 * Bytes that no writer makes are read as GLib reads them: a child that cannot be found has no bytes, and is then
 * the default of its type. Offsets must be in order; at the first that is not, the rest has no bytes. So children never
 * overlap, and reading a value takes time and memory in proportion to its bytes.
 * Source: "GVariant Specification", section 3.2; GLib's gvariant-serialiser.
 */

import { alignUp, type Type } from "./gvariant-type.ts";

/** A value of a type: bytes `start` up to `end` of a buffer. */
export interface Value {
  readonly type: Type;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Bytes of one framing offset in a container of `size` bytes. */
export const offsetSize = (size: number): number => (size === 0 ? 0 : size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8);

/** The offset size that a writer takes for `body` bytes followed by `count` offsets. */
export function chooseOffsetSize(body: number, count: number): number {
  for (const size of [1, 2, 4]) if (body + count * size < 256 ** size) return size;
  return 8;
}

function readOffset(bytes: Uint8Array, at: number, size: number): number {
  if (size === 1) return bytes[at] ?? 0;
  if (size === 2) return (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
  let value = 0;
  for (let index = size - 1; index >= 0; index--) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}

function zero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** Where the elements of an array end: at every `fixed` bytes, or as a table of offsets at `table` says. */
interface ArrayFrame {
  readonly count: number;
  readonly table: number;
  readonly width: number;
  /** The frame is as a writer makes it; the elements have not been looked at. */
  readonly normal: boolean;
}

const NO_ELEMENTS: ArrayFrame = { count: 0, table: 0, width: 0, normal: false };

function arrayFrame({ type, bytes, start, end }: Value, element: Type): ArrayFrame {
  const size = end - start;
  if (type.kind !== "array" || size === 0) return { ...NO_ELEMENTS, normal: size === 0 };
  if (element.fixedSize !== undefined) {
    const count = size / element.fixedSize;
    return Number.isInteger(count) ? { count, table: end, width: 0, normal: true } : NO_ELEMENTS;
  }
  const width = offsetSize(size);
  const body = readOffset(bytes, end - width, width);
  const count = (size - body) / width;
  // The last offset is also where the table begins; a table of no offset would not have been found.
  if (body > size || count < 1 || !Number.isInteger(count)) return NO_ELEMENTS;
  return { count, table: start + body, width, normal: chooseOffsetSize(body, count) === width };
}

/** How many elements an array has. Constant time. */
export function elementCount(array: Value): number {
  return array.type.kind === "array" ? arrayFrame(array, array.type.element).count : 0;
}

/**
 * Visits the elements of an array in order, until `visit` says false; without it, only looks at how they lie.
 * @returns whether the array's own framing is in normal form; false as well when `visit` stopped
 */
export function forEachElement(array: Value, visit?: (element: Value, index: number) => boolean): boolean {
  if (array.type.kind !== "array") return false;
  const { element } = array.type;
  const { bytes, start } = array;
  const frame = arrayFrame(array, element);
  let { normal } = frame;
  let previous = start;
  let ordered = true;
  for (let index = 0; index < frame.count; index++) {
    let from = previous;
    let to = previous + (element.fixedSize ?? 0);
    if (element.fixedSize === undefined) {
      from = alignUp(previous, element.alignment);
      to = start + readOffset(bytes, frame.table + index * frame.width, frame.width);
      ordered &&= from <= to && to <= frame.table;
      if (!ordered) normal = false;
      else if (!zero(bytes, previous, from)) normal = false;
    }
    if (visit !== undefined && !visit(ordered ? { type: element, bytes, start: from, end: to } : { type: element, bytes, start, end: start }, index)) return false;
    if (ordered) previous = to;
  }
  return normal;
}

/** The members of a tuple or dictionary entry, and whether its own framing is in normal form. */
export function members({ type, bytes, start, end }: Value): { readonly members: readonly Value[]; readonly normal: boolean } {
  if (type.kind !== "tuple" && type.kind !== "entry") return { members: [], normal: false };
  const nothing = (member: Type): Value => ({ type: member, bytes, start, end: start });
  if (type.fixedSize !== undefined && end - start !== type.fixedSize) return { members: type.members.map(nothing), normal: false };
  const width = offsetSize(end - start);
  const last = type.members.length - 1;
  const offsets = type.members.filter(({ fixedSize }, index) => fixedSize === undefined && index !== last).length;
  // Stored back to front: the first member's offset is the last thing of all.
  const table = end - offsets * width;
  const found: Value[] = [];
  let position = start;
  let normal = true;
  let ordered = table >= start;
  let next = end;
  for (const [index, member] of type.members.entries()) {
    const from = alignUp(position, member.alignment);
    let to = table;
    if (member.fixedSize !== undefined) to = from + member.fixedSize;
    else if (index !== last) to = start + readOffset(bytes, (next -= width), width);
    ordered &&= from <= to && to <= table;
    normal &&= ordered && zero(bytes, position, from);
    found.push(ordered ? { type: member, bytes, start: from, end: to } : nothing(member));
    if (ordered) position = to;
  }
  // What is left: the padding of a fixed size, else nothing.
  if (type.fixedSize !== undefined) normal &&= zero(bytes, position, end);
  else normal &&= position === table && (offsets === 0 || chooseOffsetSize(table - start, offsets) === width);
  return { members: found, normal };
}
