/** The policy and the keys of an initramfs in a file, in the place of the running system's. */

import { DEFAULT_CONFIG, DEFAULT_SYSROOT, type PolicyFiles, readInputs } from "../boot/index.ts";
import { readTrustedKeys } from "../boot/trusted-keys.ts";
import { SealrootError } from "../errors/index.ts";
import { DEFAULT_LIMIT, openInitramfs, type PolicyReader, type Tree } from "../initramfs/index.ts";
import { demandsVerity } from "../trust/index.ts";
import { readInputFile } from "./input-file.ts";

/** Longer than any configuration and any file of keys may be; one byte more, so that what is too long shows. */
const LONGEST_TEXT = 128 * 1024 + 1;

export interface InitramfsPolicy {
  readonly files: PolicyFiles;
  /** What a unified kernel image says. */
  readonly commandLine: string | undefined;
  /** undefined, or what a person should know about it. */
  readonly remark: string | undefined;
}

/** @throws SealrootError SR-E601, SR-E602, SR-E603 */
export async function openInitramfsPolicy(path: string): Promise<InitramfsPolicy> {
  const opened = await openInitramfs(readInputFile(path), path, (_path, size) => Math.min(size, LONGEST_TEXT), DEFAULT_LIMIT);
  const remark = opened.profiles > 1 ? `${path} has ${opened.profiles} profiles; this is the first, which boots unless another is chosen` : undefined;
  return { files: filesOf(opened.tree), commandLine: opened.commandLine, remark };
}

const TYPES = { file: "regular file", directory: "directory", symlink: "symbolic link", other: "special file" } as const;

const filesOf = (tree: Tree): PolicyFiles => ({
  typeOf(path) {
    const found = tree.find(path) ?? tree.findLink(path);
    return found === undefined ? undefined : TYPES[found.inode.kind];
  },
  read(path, limit) {
    const inode = tree.file(path)?.inode;
    if (inode === undefined) throw new SealrootError("SR-E230", { details: [["file", path], ["found", "no regular file"]] });
    // what was not kept is longer than any of these may be, and is refused for that
    const bytes = inode.data ?? new Uint8Array(Math.min(inode.size, limit));
    return bytes.subarray(0, limit);
  },
  list: (path) => tree.list(path),
});

/** The boot's own reading, for check-initramfs. */
export const readBootPolicy: PolicyReader = (tree, cmdline) => {
  const policyFiles = filesOf(tree);
  const { policy: { trust }, table, configFound, warnings, ostree } = readInputs({
    sysroot: DEFAULT_SYSROOT, config: DEFAULT_CONFIG, cmdline, target: undefined, rootFs: undefined, layout: "composefs", policyFiles,
  });
  const signers = () => {
    if (trust === undefined) return [];
    const revoked = new Set(trust.revoked);
    const keys = readTrustedKeys(trust, policyFiles);
    return trust.requirements.map((requirement, index) => ({
      paths: requirement.keys,
      ids: (keys[index] ?? []).map(({ id }) => id).filter((id) => !revoked.has(id)),
      threshold: requirement.threshold,
    }));
  };
  return { trust, demandsVerity: demandsVerity(trust), table, deployment: ostree.argument, configFound, warnings, wish: ostree.wish, ostreeFiles: ostree.files, signers };
};
