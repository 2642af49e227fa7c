/**
 * What the command line and prepare-root.conf say about an OSTree deployment, and whether anything does. The kernel's rules for words and quotes hold here as
 * everywhere; of several `ostree=` the first counts, as for OSTree.
 */

import { allValues, type Token } from "../cmdline-parser/index.ts";
import {
  type ComposefsWish, NO_PREPARE_ROOT, parsePrepareRoot, parseWishArgument, PREPARE_ROOT_ARGUMENT, PREPARE_ROOT_PATHS, type PrepareRootConfig,
} from "../config/index.ts";
import { raiseWish, replacePrepareRoot } from "../trust/index.ts";
import { readConfigFile } from "./config-file.ts";
import type { PolicyFiles } from "./trusted-keys.ts";

export interface OstreeInputs {
  /** What names the deployment, as on the command line; undefined when nothing does. */
  readonly argument: string | undefined;
  /** The path that it names, below the physical root. */
  readonly target: string | undefined;
  readonly config: PrepareRootConfig;
  /** The configuration's wish, as raised by the command line. */
  readonly wish: ComposefsWish;
  /** Who says so, for people: the file or the argument; undefined where nobody does. */
  readonly wishSource: string | undefined;
  /** The configuration files that are there. */
  readonly files: readonly string[];
}

/** All but which deployment is named, for which it matters who else asks for one. @throws SealrootError SR-E101 */
export function readOstreeSettings(tokens: readonly Token[], initramfs?: PolicyFiles): Omit<OstreeInputs, "argument" | "target"> {
  const { config, files } = readPrepareRoot(initramfs);
  const wish = allValues(tokens, PREPARE_ROOT_ARGUMENT).map(parseWishArgument).reduce(raiseWish, config.composefs);
  const wishSource = wish === config.composefs ? config.source : `${PREPARE_ROOT_ARGUMENT}=${wish} on the kernel command line`;
  return { config, wish, wishSource, files };
}

function readPrepareRoot(initramfs: PolicyFiles | undefined): Pick<OstreeInputs, "config" | "files"> {
  const files: string[] = [];
  let config: PrepareRootConfig | undefined;
  for (const path of PREPARE_ROOT_PATHS) {
    const bytes = readConfigFile(path, initramfs);
    if (bytes === undefined) continue;
    files.push(path);
    const next = parsePrepareRoot(bytes, path);
    config = config === undefined ? next : replacePrepareRoot(config, next);
  }
  return { config: config ?? NO_PREPARE_ROOT, files };
}

const SLOT = "androidboot.slot_suffix";

/**
 * `ostree=`; on machines with an Android boot loader the slot, or, where it has none, the first. A slot that there is not has no target.
 * @param inUse whether anything but such an argument speaks of OSTree: that boot loader boots other systems too, which its words do not name
 */
export function deploymentTarget(tokens: readonly Token[], inUse = true): Pick<OstreeInputs, "argument" | "target"> {
  const slot = tokens.find(({ key }) => key === SLOT);
  const named = tokens.find(({ key, value }) => key === "ostree" && value !== undefined);
  if (named === undefined && !inUse) return { argument: undefined, target: undefined };
  if (slot !== undefined) {
    const [, name] = /^_([ab])$/.exec(slot.value ?? "") ?? [];
    return { argument: slot.raw, target: name === undefined ? undefined : `ostree/root.${name}` };
  }
  if (named !== undefined) return { argument: named.raw, target: (named.value ?? "").replace(/^\/+/, "") };
  const android = tokens.find(({ key }) => key.startsWith("androidboot."));
  return { argument: android?.raw, target: android === undefined ? undefined : "ostree/root.a" };
}
