/** An OSTree disk's commit on the host, signed anew, as the rows of the attack table want it. */

import { bytesEntry, parseCommit, writeCommit } from "../../../src/ostree/index.ts";
import { OSTREE_DIGEST } from "../../../src/trust/deployment.ts";
import { fileOnDisk } from "./disk-files.ts";
import type { OstreeDisk } from "./ostree-disk.ts";
import type { SignedCommit } from "./signing.ts";

export interface Deployed extends SignedCommit {
  /** Where the commit and its detached metadata lie on the disk. */
  readonly file: string;
}

/** Paths of a commit object on the disk. */
export const commitFile = (id: string): string => `ostree/repo/objects/${id.slice(0, 2)}/${id.slice(2)}.commit`;

const known = new Map<string, Promise<Deployed>>();

/** The commit that the deployment's directory names. */
export function deployed({ path, commit: id }: OstreeDisk): Promise<Deployed> {
  const file = commitFile(id);
  const found = known.get(path) ?? fileOnDisk(path, file).then((bytes) => ({ id, file, bytes }));
  known.set(path, found);
  return found;
}

export interface Changes {
  /** The image that it names, hexadecimal; undefined: none. */
  readonly image?: string | undefined;
  /** The commit that it was imported from, as bootc writes it. */
  readonly base?: string;
}

/** A commit like this one, of the same time and tree, with something else about its image. */
export function commitLike({ bytes }: SignedCommit, changes: Changes): SignedCommit {
  const { metadata, ...parts } = parseCommit(bytes);
  const kept = metadata.filter(({ key }) => key !== OSTREE_DIGEST);
  const image = "image" in changes ? changes.image : bytesEntry(parseCommit(bytes), OSTREE_DIGEST)?.toHex();
  const made = writeCommit({
    ...parts,
    metadata: [
      ...kept,
      ...(image === undefined ? [] : [{ key: OSTREE_DIGEST, type: "ay", serialised: Uint8Array.fromHex(image) }]),
      ...(changes.base === undefined ? [] : [{ key: "ostree.container.image-config", type: "s", value: "{}" }]),
    ],
    parent: changes.base,
  });
  return { id: new Bun.CryptoHasher("sha256").update(made).digest("hex"), bytes: made };
}
