/** An initramfs, or the one in a unified kernel image, as a tree to look things up in. */

import { SealrootError } from "../errors/index.ts";
import type { Keep } from "./cpio.ts";
import { Damage } from "./damage.ts";
import type { Tree } from "./tree.ts";
import { isPortableExecutable, type Profile, readUki, sectionText } from "./uki.ts";
import { looksLikeInitramfs, unpack } from "./unpack.ts";

export interface OpenedInitramfs {
  readonly tree: Tree;
  /** What a unified kernel image says; of one with profiles, the first. */
  readonly commandLine: string | undefined;
  /** How many profiles there are; 0 for a plain initramfs. */
  readonly profiles: number;
}

/**
 * @param path only named in messages @param limit bytes that may come out
 * @throws SealrootError SR-E601 for what is no initramfs, SR-E602 for one that is damaged
 */
export async function openInitramfs(file: Uint8Array, path: string, keep: Keep, limit: number): Promise<OpenedInitramfs> {
  try {
    const uki = isPortableExecutable(file) ? readUki(file) : undefined;
    const profile = uki?.profiles[0];
    const initramfs = uki === undefined ? file : profile?.sections.get(".initrd");
    if (initramfs === undefined || !looksLikeInitramfs(initramfs)) throw new SealrootError("SR-E601", { details: [["file", path]] });
    const { tree } = await unpack(initramfs, { keep, limit });
    return { tree, commandLine: profile === undefined ? undefined : commandLine(profile), profiles: uki?.profiles.length ?? 0 };
  } catch (error) {
    if (error instanceof Damage) throw new SealrootError("SR-E602", { details: [["file", path], ["found", error.message]] });
    throw error;
  }
}

function commandLine({ sections }: Profile): string | undefined {
  const section = sections.get(".cmdline");
  return section === undefined ? undefined : sectionText(section);
}
