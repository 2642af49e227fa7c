/**
 * Takes the languages that sealroot does not speak out of the runtime's ICU data.
 *
 * ICU finds its data items through one sorted table of names, and falls back to English or the root
 * locale for a language without an item: removing items is what ICU's own icupkg does to a data
 * package. What stays (root, English, time zones, normalisation, collation's root) is packed to the
 * front; behind it stand zeros, which no page of memory and hardly a byte of a compressed initramfs
 * is spent on. Nothing moves outside the package.
 * Source: ICU, ucmndata.h (UDataOffsetTOC) and the udata.h header that stands before each item.
 */

export interface IcuSaving {
  readonly kept: number;
  readonly removed: number;
  /** Bytes that are zeros now. */
  readonly bytes: number;
}

/** Locale bundles have names such as "de.res" or "zh_Hant_HK.res". */
const LOCALE = /^[a-z]{2,3}(?:_[A-Za-z0-9]+)*\.res$/;
const ENGLISH = new Set(["en.res", "en_001.res", "en_US.res", "en_US_POSIX.res"]);
/** Looks like a locale's, and is the list of them all. */
const INDEX = "res_index.res";

/** Whether an item, by its name below "icudt78l/", is needed in a program that speaks English only. */
export function isNeeded(name: string): boolean {
  const file = name.slice(name.lastIndexOf("/") + 1);
  if (file.endsWith(".dict")) return false; // where words end in Thai, Khmer, Chinese ...
  return !LOCALE.test(file) || ENGLISH.has(file) || file === INDEX;
}

interface Item {
  readonly nameOffset: number;
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

const ALIGNMENT = 16;
/** The common data header: size of itself (u16), the magic bytes, 12 bytes in the data format "CmnD". */
const FORMAT_AT = 12;

function findPackage(bytes: Buffer): number {
  const format = bytes.indexOf("CmnD", 0, "latin1");
  const start = format - FORMAT_AT;
  if (format < 0 || bytes.indexOf("CmnD", format + 1, "latin1") >= 0) throw new Error("ICU: there is not exactly one data package");
  if (bytes.readUInt8(start + 2) !== 0xda || bytes.readUInt8(start + 3) !== 0x27) throw new Error("ICU: the data package has no header");
  return start + bytes.readUInt16LE(start);
}

/** @param table of contents; offsets in it count from its first byte */
function readItems(bytes: Buffer, table: number): Item[] {
  const count = bytes.readUInt32LE(table);
  const items: Item[] = [];
  for (let index = 0; index < count; index++) {
    const entry = table + 4 + 8 * index;
    const nameOffset = bytes.readUInt32LE(entry);
    const offset = bytes.readUInt32LE(entry + 4);
    const next = index + 1 < count ? bytes.readUInt32LE(entry + 12) : offset;
    const end = bytes.indexOf(0, table + nameOffset);
    if (offset % ALIGNMENT !== 0 || next < offset || end < 0) throw new Error("ICU: the table of contents is not sorted");
    items.push({ nameOffset, name: bytes.toString("latin1", table + nameOffset, end), offset, size: next - offset });
  }
  return items;
}

/**
 * Changes `bytes` in place.
 * @throws Error when the package is not laid out as expected, or its last item (whose size it does not state) would have to stay
 */
export function removeLanguages(bytes: Buffer): IcuSaving {
  const table = findPackage(bytes);
  const items = readItems(bytes, table);
  const first = items[0];
  const last = items.at(-1);
  const below = (name: string): string => name.slice(name.indexOf("/") + 1);
  if (first === undefined || last === undefined || isNeeded(below(last.name))) throw new Error("ICU: the last item cannot be removed");
  const kept = items.filter((item) => item !== last && isNeeded(below(item.name)));
  bytes.writeUInt32LE(kept.length, table);
  let position = first.offset;
  for (const [index, item] of kept.entries()) {
    bytes.copyWithin(table + position, table + item.offset, table + item.offset + item.size);
    bytes.writeUInt32LE(item.nameOffset, table + 4 + 8 * index);
    bytes.writeUInt32LE(position, table + 8 + 8 * index);
    position += item.size;
  }
  bytes.fill(0, table + 4 + 8 * kept.length, table + 4 + 8 * items.length);
  bytes.fill(0, table + position, table + last.offset);
  return { kept: kept.length, removed: items.length - kept.length, bytes: last.offset - position };
}
