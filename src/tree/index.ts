/** One filesystem in memory: every source becomes it, every image comes from it. Pure, and small enough for a million files. */
export { Arena, hashBytes } from "./arena.ts";
export { DuplicateName, type Entry, MAX_NAME, TreeBuilder } from "./builder.ts";
export { binaryOf, bytesOf, compareBytes, equalBytes } from "./bytes.ts";
export { BigColumn, ByteColumn, DoubleColumn, ShortColumn, WordColumn } from "./column.ts";
export { type Attributes, type Data, type Inode, Inodes, objectPath, ROOT } from "./inodes.ts";
export { Sorter } from "./sort.ts";
export { isDevice, isDirectory, isRegular, isSymlink, TYPE, TYPE_MASK, typeName, typeOf } from "./mode.ts";
export { Tree } from "./tree.ts";
export { NO_XATTRS, type Xattr, type XattrSetId, XattrTable } from "./xattrs.ts";
