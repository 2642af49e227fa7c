/** File types as `st_mode` has them (inode(7)), and their names as people and directory entries know them. */

export const TYPE_MASK = 0o170000;

export const TYPE = {
  fifo: 0o010000,
  characterDevice: 0o020000,
  directory: 0o040000,
  blockDevice: 0o060000,
  regular: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

const NAMES: Readonly<Record<number, string>> = {
  [TYPE.fifo]: "fifo",
  [TYPE.characterDevice]: "character device",
  [TYPE.directory]: "directory",
  [TYPE.blockDevice]: "block device",
  [TYPE.regular]: "regular file",
  [TYPE.symlink]: "symbolic link",
  [TYPE.socket]: "socket",
};

export const typeOf = (mode: number): number => mode & TYPE_MASK;
export const isDirectory = (mode: number): boolean => typeOf(mode) === TYPE.directory;
export const isRegular = (mode: number): boolean => typeOf(mode) === TYPE.regular;
export const isSymlink = (mode: number): boolean => typeOf(mode) === TYPE.symlink;
export const isDevice = (mode: number): boolean => typeOf(mode) === TYPE.characterDevice || typeOf(mode) === TYPE.blockDevice;

/** What a mode's type bits stand for; undefined for bits that no file has. */
export const typeName = (mode: number): string | undefined => NAMES[typeOf(mode)];
