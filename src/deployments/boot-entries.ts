/**
 * The images that boot entries name: Boot Loader Specification entries (`loader/entries/*.conf`), menus of GRUB and others, names of unified
 * kernel images. Pure.
 * Source: UAPI Group Specifications, "Boot Loader Specification"; bootc's composefs backend, which gives files the image's digest as name.
 */

import { parseImageArguments } from "../cmdline-parser/index.ts";

export interface EntryImages {
  /** Digests, lower-case hex. */
  readonly images: readonly string[];
  /** Unified kernel images that it starts, as it writes their paths: their command lines are to be read too. */
  readonly kernels: readonly string[];
  /** Image arguments of a kind that is not known here: whatever they name would be lost. */
  readonly unknown: readonly string[];
}

const NAMED = /(?:^|\/)(?:bootc_composefs-)?([0-9a-f]{128}|[0-9a-f]{64})(?:\.efi)?$/;

/** The image that a file or directory is named after, as bootc does: `bootc_composefs-<digest>.efi`; before 1.16 without the prefix. */
export const imageOfFileName = (path: string): string | undefined => NAMED.exec(path)?.[1];

/** Every image that a kernel command line names, whether it would be chosen or not. */
export function commandLineImages(commandLine: string): EntryImages {
  const { candidates, skipped } = parseImageArguments(commandLine);
  return {
    images: candidates.map(({ digest }) => digest),
    kernels: [],
    // one that is malformed boots nothing, so it keeps nothing; without text it is the whole line that was too long to be read
    unknown: skipped.filter(({ reason, text }) => reason === "unknown" || text === "").map(({ text, explanation }) => (text === "" ? explanation : text)),
  };
}

function joined(parts: readonly EntryImages[]): EntryImages {
  return {
    images: [...new Set(parts.flatMap(({ images }) => images))],
    kernels: [...new Set(parts.flatMap(({ kernels }) => kernels))],
    unknown: [...new Set(parts.flatMap(({ unknown }) => unknown))],
  };
}

const named = (digest: string | undefined): readonly string[] => (digest === undefined ? [] : [digest]);

/** @param text of a `.conf` file */
export function bootEntryImages(text: string): EntryImages {
  const lines = text.split("\n").map((line) => /^([A-Za-z0-9_-]+)\s+(.*)$/s.exec(line.trim())).filter((match) => match !== null);
  const values = (...keys: readonly string[]): string[] => lines.filter(([, key = ""]) => keys.includes(key.toLowerCase())).map(([, , value = ""]) => value);
  const commandLine = commandLineImages(values("options").join(" "));
  const kernels = values("efi", "uki");
  // the directory of a kernel may be another deployment's with the same kernel: its name only counts where nothing else tells
  const byName = [...kernels, ...(commandLine.images.length > 0 ? [] : values("linux").map((path) => path.slice(0, Math.max(path.lastIndexOf("/"), 0))))].map(imageOfFileName);
  return joined([commandLine, { images: byName.flatMap(named), kernels, unknown: [] }]);
}

/** What looks like an image argument, up to where a quote or a blank ends it. */
const ARGUMENT = /composefs(?:\.digest)?=[^\s"'<>|&;{}]*/g;
const KERNEL_NAME = /bootc_composefs-(?:[0-9a-f]{128}|[0-9a-f]{64})(?![0-9a-f])/g;

/**
 * Menus put command lines together from variables, some of them in other files. So each argument counts, wherever it stands.
 * @param text of a `grub.cfg`, `user.cfg`, `grubenv` or another boot loader's menu
 */
export function menuImages(text: string): EntryImages {
  const parts: EntryImages[] = [];
  // grubenv and quoted words have backslashes
  for (const [argument] of text.replaceAll("\\\n", "").replaceAll("\\", "").matchAll(ARGUMENT)) {
    parts.push(argument.includes("$") ? { images: [], kernels: [], unknown: [argument] } : commandLineImages(argument));
  }
  for (const [name] of text.matchAll(KERNEL_NAME)) parts.push({ images: named(imageOfFileName(name)), kernels: [], unknown: [] });
  for (const line of text.split("\n")) {
    const [, rest] = /^chainloader\s+(.*)$/s.exec(line.trim()) ?? [];
    // with a variable in it, the path is not to be followed
    if (rest !== undefined && !rest.includes("$")) parts.push({ images: named(imageOfFileName(rest)), kernels: [rest], unknown: [] });
  }
  return joined(parts);
}
