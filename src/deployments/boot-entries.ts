/**
 * The images that boot entries name: Boot Loader Specification entries (`loader/entries/*.conf`), menus of GRUB and others, names of unified
 * kernel images, boot options of EFI firmware. Pure.
 * Source: UAPI Group Specifications, "Boot Loader Specification"; bootc's composefs backend, which gives files the image's digest as name;
 * UEFI Specification, "Load Options".
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

/** systemd-boot counts attempts in the name: `+2-1`. */
const NAMED = /(?:^|\/)(?:bootc_composefs-)?([0-9a-f]{128}|[0-9a-f]{64})(?:\+\d+(?:-\d+)?)?(?:\.[eE][fF][iI])?$/;

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

/** What looks like an image argument, up to where a quote or a blank ends it. */
const ARGUMENT = /composefs(?:\.digest)?=[^\s"'<>|&;{}]*/g;

/**
 * Each argument, wherever it stands: what quotes hide from one reader of a command line another one sees, and menus put command lines
 * together from variables.
 */
function argumentsIn(text: string): EntryImages {
  return joined([...text.matchAll(ARGUMENT)].map(([argument]) => (argument.includes("$") ? { images: [], kernels: [], unknown: [argument] } : commandLineImages(argument))));
}

/** @param text of a `.conf` file */
export function bootEntryImages(text: string): EntryImages {
  const lines = text.split("\n").map((line) => /^([A-Za-z0-9_-]+)\s+(.*)$/s.exec(line.trim())).filter((match) => match !== null);
  const values = (...keys: readonly string[]): string[] => lines.filter(([, key = ""]) => keys.includes(key.toLowerCase())).map(([, , value = ""]) => value);
  const options = values("options").join(" ");
  const commandLine = joined([commandLineImages(options), argumentsIn(options)]);
  // without options a kernel's own command line counts, if it has one; addons have one of their own
  const plain = commandLine.images.length > 0 ? [] : values("linux");
  const kernels = [...values("efi", "uki"), ...plain, ...values("extra").filter((path) => /\.efi$/i.test(path))];
  // the directory of a kernel may be another deployment's with the same kernel: its name only counts where nothing else tells
  const byName = [...values("efi", "uki"), ...plain.map((path) => path.slice(0, Math.max(path.lastIndexOf("/"), 0)))].map(imageOfFileName);
  return joined([commandLine, { images: byName.flatMap(named), kernels, unknown: [] }]);
}

const KERNEL_NAME = /bootc_composefs-(?:[0-9a-f]{128}|[0-9a-f]{64})(?![0-9a-f])/g;

/** A path in a menu: without the device before it and quotes around it. undefined for what is no path, or has a variable in it. */
function pathInMenu(text: string): string | undefined {
  const [word = ""] = /^"[^"]*"|^'[^']*'|^\S+/.exec(text) ?? [];
  const path = word.replace(/^["'](.*)["']$/, "$1").replace(/^\([^)]*\)/, "").replaceAll("\\", "/");
  return path === "" || path.startsWith("+") || path.includes("$") ? undefined : path;
}

/** @param text of a `grub.cfg`, `user.cfg`, `grubenv` or another boot loader's menu */
export function menuImages(text: string): EntryImages {
  // grubenv and quoted words have backslashes
  const parts: EntryImages[] = [argumentsIn(text.replaceAll("\\\n", "").replaceAll("\\", ""))];
  for (const [name] of text.matchAll(KERNEL_NAME)) parts.push({ images: named(imageOfFileName(name)), kernels: [], unknown: [] });
  for (const line of text.split("\n")) {
    // GRUB's word, and rEFInd's
    const [, rest] = /^(?:chainloader|loader)\s+(.*)$/s.exec(line.trim()) ?? [];
    const path = rest === undefined ? undefined : pathInMenu(rest);
    if (path !== undefined) parts.push({ images: named(imageOfFileName(path)), kernels: [path], unknown: [] });
  }
  return joined(parts);
}

/**
 * @param variable of EFI firmware, as efivarfs shows it: a boot option, with what is handed to the program that it starts. Kernels with an
 * EFI stub take that as command line, in either encoding.
 */
export function loadOptionImages(variable: Uint8Array): EntryImages {
  const bytes = Buffer.from(variable.buffer, variable.byteOffset, variable.byteLength);
  const texts = [bytes.toString("utf16le"), bytes.subarray(1).toString("utf16le"), bytes.toString("latin1")];
  return joined(texts.flatMap((text) => text.split("\0")).map(argumentsIn));
}
