/** Names of objects, and of links to them: `xx/yyy`, two hexadecimal digits and the rest. Pure. */

export const idLengthOf = (algorithm: "sha256" | "sha512"): 32 | 64 => (algorithm === "sha256" ? 32 : 64);

/** Names of images, and of what belongs to one: an fs-verity digest of either kind, lower-case hex. */
export const isDigest = (name: string): boolean => /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/.test(name);

/** The id that `xx/yyy` stands for; undefined for any other text. @param idLength 32 or 64 bytes */
export function idOfName(name: string, idLength: 32 | 64): Uint8Array | undefined {
  return name.length === idLength * 2 + 1 && /^[0-9a-f]{2}\/[0-9a-f]+$/.test(name) ? Uint8Array.fromHex(name.replace("/", "")) : undefined;
}

/** The id that a link in `images/` or `streams/` leads to: its text is `../objects/xx/yyy`. undefined for any other text. */
export function idOfLink(text: string, idLength: 32 | 64): Uint8Array | undefined {
  const [, name] = /^\.\.\/objects\/(.*)$/s.exec(text) ?? [];
  return name === undefined ? undefined : idOfName(name, idLength);
}

/** The entry that a link in `images/refs/` or `streams/refs/` leads to: the last part of its text, as composefs-rs reads it. */
export function entryOfReference(text: string): string | undefined {
  const name = text.slice(text.lastIndexOf("/") + 1);
  return name === "" || name === "." || name === ".." ? undefined : name;
}

/** Names that composefs-rs, and we, give files that are not finished yet: in `objects/` (or below it), and links in the repository. */
export const TEMPORARY_OBJECT = /^\.tmp-object-[0-9A-Za-z]{1,32}$/;
export const TEMPORARY_LINK = /^\.symlink-[0-9A-Za-z]{1,32}$/;
