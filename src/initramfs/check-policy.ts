/** Whether the configuration in the initramfs can be read, and the keys that it names are there. */

import { parseSetupRootConfig, type Policy } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { Findings } from "./findings.ts";
import type { Tree } from "./tree.ts";

export const CONFIG_PATH = "/usr/lib/composefs/setup-root-conf.toml";

/** @returns the policy that the boot would have; undefined when it cannot be read */
export function checkPolicy(tree: Tree, findings: Findings): Policy | undefined {
  const link = tree.findLink(CONFIG_PATH);
  const file = tree.file(CONFIG_PATH);
  if (link === undefined) {
    findings.note("policy", `there is no ${CONFIG_PATH}: trust is as the argument says, \`?\` included`);
    return undefined;
  }
  if (file === undefined) {
    findings.error("policy", `${CONFIG_PATH} is no file, or a link to nowhere`, "correct it, and rebuild the initramfs");
    return undefined;
  }
  let policy: Policy;
  try {
    const parsed = parseSetupRootConfig(file.inode.data ?? new Uint8Array(0), CONFIG_PATH);
    policy = parsed.policy;
    for (const { line, key, message } of parsed.warnings) findings.warning("policy", `${key}${line === undefined ? "" : ` (line ${line})`}: ${message}`);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    const details = error.details.filter(([label]) => label !== "file").map(([label, text]) => `${label} ${text}`);
    findings.error("policy", [`${CONFIG_PATH}: ${error.message}`, ...details].join(", "), "correct it, and rebuild the initramfs");
    return undefined;
  }
  const { trust } = policy;
  findings.ok("policy", trust === undefined ? `${CONFIG_PATH}, no [trust] table` : `${CONFIG_PATH}, level ${trust.level}`);
  if (trust !== undefined) checkKeys(tree, trust.keys, trust.level === "signed", findings);
  return policy;
}

/** A key is a file, or a directory with files in it. */
function checkKeys(tree: Tree, keys: readonly string[], needed: boolean, findings: Findings): void {
  const paths = keys.filter((key) => key.startsWith("/"));
  if (needed && keys.length === 0) {
    findings.error("keys", 'level = "signed" names no keys: nothing could be signed well enough', `set keys in ${CONFIG_PATH}, and rebuild the initramfs`);
    return;
  }
  const isThere = (path: string): boolean => {
    const found = tree.find(path);
    if (found?.inode.kind === "directory") return tree.list(found.path).some((name) => isThere(`${found.path}/${name}`));
    return found?.inode.kind === "file" && found.inode.size > 0;
  };
  const missing = paths.filter((path) => !isThere(path));
  if (missing.length > 0) findings.add(needed ? "error" : "warning", "keys", `not in it, or empty: ${missing.join(", ")}`, "install the keys, and rebuild the initramfs");
  else if (paths.length > 0) findings.ok("keys", paths.join(", "));
}
