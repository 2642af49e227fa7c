/**
 * The recipe: everything that decides which image, and so which digest, a directory becomes. Recorded beside the image, so that two
 * people whose digests differ can compare what they asked for before they compare what they have. Pure.
 */

import { SealrootError } from "../errors/index.ts";

export type FormatName = "v0" | "v1" | "v2";
export type AlgorithmName = "sha256" | "sha512";

/** A directory directly below the root whose content is left out. */
export interface EmptiedDirectory {
  readonly name: string;
  /** Whether a tree without it is refused. */
  readonly required: boolean;
  /** Its own time, or that of /usr: composefs-rs takes all of it for /run, and the whole seconds only for /boot and /sysroot. */
  readonly time: "own" | "usr" | "usr-seconds";
}

export interface Recipe {
  /** EROFS format of the image. */
  readonly format: FormatName;
  /** Hash of fs-verity, for the objects and the image. */
  readonly algorithm: AlgorithmName;
  /** Names kept: all, none, or those listed; a name that ends in a dot stands for all that begin with it. */
  readonly xattrs: "all" | "none" | readonly string[];
  /** Modification times, as the files have them or all zero. */
  readonly times: "source" | "epoch";
  /** Owner, mode, time and extended attributes of `/`: its own, or those of /usr. */
  readonly root: "source" | "usr";
  readonly emptied: readonly EmptiedDirectory[];
  /** Largest file, in bytes, that is kept inside the image. */
  readonly inlineLimit: number;
  /** Character and block devices, overlayfs's whiteouts among them. */
  readonly devices: "keep" | "skip";
  /** Several names of one file: one file with several names, or copies with a link count of 1. */
  readonly hardLinks: "keep" | "copy";
  /** security.selinux: as any other attribute; or from the policy in the tree's /etc/selinux, and none without a policy. */
  readonly selinux: "source" | "policy";
}

/** What the C tool mkcomposefs makes of a directory. */
const MKCOMPOSEFS: Recipe = {
  format: "v0", algorithm: "sha256", xattrs: "all", times: "source", root: "source", emptied: [], inlineLimit: 64, devices: "keep", hardLinks: "copy", selinux: "source",
};

/** composefs-rs for a container's root (transform_for_oci): what an unpacked layer has that its tar archive had not is left out. */
const COMPOSEFS_RS: Recipe = {
  format: "v1", algorithm: "sha512", xattrs: ["security.capability"], times: "source", root: "usr",
  emptied: [{ name: "run", required: false, time: "usr" }], inlineLimit: 64, devices: "keep", hardLinks: "keep", selinux: "source",
};

/** The same for a system that boots (transform_for_boot): what lies in /boot holds the digest, and so cannot be part of it. */
const COMPOSEFS_RS_BOOT: Recipe = {
  ...COMPOSEFS_RS,
  emptied: [{ name: "boot", required: true, time: "usr-seconds" }, { name: "run", required: false, time: "usr" }, { name: "sysroot", required: true, time: "usr-seconds" }],
  selinux: "policy",
};

export const PRESETS = { "mkcomposefs": MKCOMPOSEFS, "composefs-rs": COMPOSEFS_RS, "composefs-rs-boot": COMPOSEFS_RS_BOOT } as const satisfies Record<string, Recipe>;
export type PresetName = keyof typeof PRESETS;
export const isPresetName = (name: string): name is PresetName => Object.hasOwn(PRESETS, name);

/** The content options of mkcomposefs, as a recipe. */
export interface MkcomposefsOptions {
  readonly useEpoch: boolean;
  readonly skipDevices: boolean;
  readonly skipXattrs: boolean;
  readonly userXattrs: boolean;
  /** Default v0: the writer chooses between v0 and v1 by what is in the tree (chooseFormat). */
  readonly format?: FormatName;
}

export function mkcomposefsRecipe({ useEpoch, skipDevices, skipXattrs, userXattrs, format = "v0" }: MkcomposefsOptions): Recipe {
  return { ...MKCOMPOSEFS, format, times: useEpoch ? "epoch" : "source", devices: skipDevices ? "skip" : "keep", xattrs: skipXattrs ? "none" : userXattrs ? ["user."] : "all" };
}

/** Whether an attribute of this name is kept. */
export function keepsXattr(recipe: Pick<Recipe, "xattrs" | "selinux">, name: string): boolean {
  const { xattrs } = recipe;
  if (recipe.selinux === "policy" && name === "security.selinux") return false;
  if (typeof xattrs === "string") return xattrs === "all";
  return xattrs.some((kept) => (kept.endsWith(".") ? name.startsWith(kept) : name === kept));
}

/** Version of the record's form. */
const RECORD_VERSION = 1;

type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };

/** JSON with sorted names and no white space: the same recipe is the same bytes. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonical).join(",")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const record = value as { readonly [name: string]: Json };
  return `{${Object.keys(record).sort().map((name) => `${JSON.stringify(name)}:${canonical(record[name] ?? "")}`).join(",")}}`;
}

/** The record that lies beside an image. */
export function formatRecipe(recipe: Recipe): string {
  const { format, algorithm, xattrs, times, root, emptied, inlineLimit, devices, hardLinks, selinux } = recipe;
  return `${canonical({
    version: RECORD_VERSION, format, algorithm, xattrs: typeof xattrs === "string" ? xattrs : [...xattrs], times, root,
    emptied: emptied.map(({ name, required, time }) => ({ name, required, time })), inlineLimit, devices, hardLinks, selinux,
  })}\n`;
}

/** The name of the preset that a recipe is, apart from format and algorithm; undefined for one that somebody put together. */
export function presetOf(recipe: Recipe): PresetName | undefined {
  const { format, algorithm } = recipe;
  return (Object.keys(PRESETS) as PresetName[]).find((name) => formatRecipe({ ...PRESETS[name], format, algorithm }) === formatRecipe(recipe));
}

const oneOf = <T extends string>(value: unknown, ...names: readonly T[]): value is T => names.some((name) => name === value);
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const isName = (value: unknown): value is string => typeof value === "string" && value !== "" && value.length <= 255;

function isEmptied(value: unknown): value is EmptiedDirectory {
  return isRecord(value) && isName(value["name"]) && !/[/\0]/.test(value["name"]) && typeof value["required"] === "boolean" && oneOf(value["time"], "own", "usr", "usr-seconds");
}

/** Bytes; no recipe is longer. */
export const RECIPE_LIMIT = 64 * 1024;

/** @param from the file, for messages @throws SealrootError SR-E526 */
export function parseRecipe(bytes: Uint8Array, from: string): Recipe {
  const refuse = (found: string): SealrootError => new SealrootError("SR-E526", { details: [["file", from], ["found", found]] });
  if (bytes.length > RECIPE_LIMIT) throw refuse(`more than ${RECIPE_LIMIT} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw refuse("not JSON");
  }
  if (!isRecord(value)) throw refuse("not a JSON object");
  if (value["version"] !== RECORD_VERSION) throw refuse(`a version other than ${RECORD_VERSION}`);
  const known = ["version", "format", "algorithm", "xattrs", "times", "root", "emptied", "inlineLimit", "devices", "hardLinks", "selinux"];
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  // a rule that is not known here cannot be kept
  if (unknown !== undefined) throw refuse(`a rule that is not known here: ${JSON.stringify(unknown.slice(0, 40))}`);
  const { format, algorithm, xattrs, times, root, emptied, inlineLimit, devices, hardLinks, selinux } = value;
  const list: unknown = emptied;
  if (!oneOf(format, "v0", "v1", "v2") || !oneOf(algorithm, "sha256", "sha512")) throw refuse("a format or an algorithm that is not known here");
  if (!(oneOf(xattrs, "all", "none") || (Array.isArray(xattrs) && xattrs.every(isName)))) throw refuse("xattrs that are neither all nor none nor a list of names");
  if (!oneOf(times, "source", "epoch") || !oneOf(root, "source", "usr") || !oneOf(devices, "keep", "skip") || !oneOf(hardLinks, "keep", "copy") || !oneOf(selinux, "source", "policy")) {
    throw refuse("a rule with a value that is not known here");
  }
  if (!Array.isArray(list) || !list.every(isEmptied)) throw refuse("emptied is no list of directories");
  if (typeof inlineLimit !== "number" || !Number.isInteger(inlineLimit) || inlineLimit < 0 || inlineLimit > 4096) throw refuse("an inlineLimit that no image has");
  return { format, algorithm, xattrs, times, root, emptied: list, inlineLimit, devices, hardLinks, selinux };
}
