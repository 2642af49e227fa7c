/**
 * composefs-info, by its own name or as `sealroot composefs-info`: what is in images, in the C tool's words and order
 * (composefs-info(1)). Without --basedir every object is missing, which the C tool comes to by a mistake and scripts may rely on.
 */

import { closeSync, openSync, statSync, constants } from "node:fs";
import { digestFile } from "../directory/index.ts";
import { eachObject, printDumpfile, printListing } from "../dumpfile/index.ts";
import { readImage } from "../erofs/index.ts";
import { SealrootError } from "../errors/index.ts";
import { MerkleTree, descriptorDigest, encodeDescriptor } from "../fsverity/index.ts";
import { measureVerity } from "../linux/index.ts";
import { statName } from "../linux/names.ts";
import { type CommandHelp, getopt, type LongOption } from "../terminal/index.ts";
import { binaryOf, bytesOf, isRegular, type Tree } from "../tree/index.ts";
import { print } from "./output.ts";
import { openForReading, readAll, readImageFile, withFile } from "./peer-input.ts";
import { writeWhole } from "./peer-output.ts";
import { fail, failFor, or, reasonOf, runTool, type Tool, ToolExit } from "./peer-tool.ts";

export const help: CommandHelp = {
  name: "composefs-info",
  summary: "Show what is in images, with the options and the output of the C tool of that name.",
  description:
    "ls IMAGE…               names, targets of symbolic links, objects\n" +
    "dump IMAGE…             everything, as mkcomposefs --from-file reads it\n" +
    "objects IMAGE…          paths of the objects that the images need\n" +
    "missing-objects IMAGE…  those of them that are not below --basedir\n" +
    "measure-file FILE…      fs-verity digests of files",
  operands: "COMMAND FILE…",
  options: {
    basedir: { kind: "value", value: "DIR", help: "the object store" },
    filter: { kind: "value", value: "NAME", repeat: true, help: "only this name directly below the root" },
  },
  examples: [
    ["sealroot composefs-info dump image.cfs", "the image as text"],
    ["sealroot composefs-info --basedir=objects missing-objects image.cfs", "what a store lacks"],
  ],
};

const LONG: readonly LongOption[] = [{ name: "basedir", value: true }, { name: "filter", value: true }];

interface Options {
  readonly basedir: string | undefined;
  readonly only: readonly Uint8Array[] | undefined;
  readonly operands: readonly string[];
}

export function run(argv: readonly string[], calledAs?: string): Promise<number> {
  return runTool("composefs-info", calledAs, (tool) => {
    const options = parse(tool, argv);
    const [command, ...files] = options.operands;
    if (command === undefined) return refuse(`No command specified\n${usage(tool)}`);
    if (command === "measure-file") return measure(tool, files);
    const handler = HANDLERS[command];
    if (handler === undefined || !Object.hasOwn(HANDLERS, command)) return fail(tool, `Unknown command '${command}'\n`);
    const basedir = options.basedir === undefined ? undefined : openBasedir(tool, options.basedir);
    if (files.length === 0) return refuse(`No image path specified\n${usage(tool)}`);
    const handle = handler(options.only, basedir);
    for (const file of files) handle.image(load(tool, file));
    handle.end?.();
    return 0;
  });
}

const refuse = (said: string): never => {
  throw new ToolExit(said);
};

const usage = ({ calledAs }: Tool): string => `usage: ${calledAs} [--basedir=path] [ls|objects|dump|missing-objects|measure-file] IMAGES...\n`;

function parse(tool: Tool, argv: readonly string[]): Options {
  let basedir: string | undefined;
  const only: Uint8Array[] = [];
  const operands: string[] = [];
  for (const argument of getopt(argv, "", LONG, process.env["POSIXLY_CORRECT"] !== undefined)) {
    if (argument.kind === "operand") {
      operands.push(argument.value);
    } else if (argument.kind === "complaint") {
      print("Def\n");
      refuse(`${tool.calledAs}: ${argument.text}\n${usage(tool)}`);
    } else if (argument.name === "basedir") {
      basedir = argument.value;
    } else {
      const name = argument.value ?? "";
      // err(3) without an error
      if (name.includes("/")) fail(tool, `Filter must be a single name: ${name}: Success`);
      only.push(new TextEncoder().encode(name));
    }
  }
  return { basedir, only: only.length === 0 ? undefined : only, operands };
}

const encoder = new TextEncoder();

function openBasedir(tool: Tool, path: string): string {
  return or(tool, `Can't open basedir \`${path}\`\n`, () => {
    // held open to the end of the program, so that it stays the same directory
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    return `/proc/self/fd/${descriptor}`;
  });
}

function load(tool: Tool, path: string): Tree {
  const descriptor = or(tool, `Failed to open '${path}'`, () => openForReading(path));
  return withFile(descriptor, () => {
    let bytes = new Uint8Array();
    try {
      bytes = readImageFile(descriptor);
      return readImage(bytes).tree;
    } catch (error) {
      if (error instanceof SealrootError) return fail(tool, `Failed to load '${path}': ${isOtherVersion(bytes) ? "Operation not supported" : "Invalid argument"}`);
      return failFor(tool, `Failed to load '${path}'`, error);
    }
  });
}

const [MAGIC, HEADER_VERSION, BLOCK] = [0xd078629a, 1, 4096];

/** An image of a later kind than any that there is. */
function isOtherVersion(bytes: Uint8Array): boolean {
  if (bytes.length < BLOCK) return false;
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return header.getUint32(0, true) === MAGIC && header.getUint32(4, true) !== HEADER_VERSION;
}

interface Handler {
  image(tree: Tree): void;
  end?(): void;
}

type Only = readonly Uint8Array[] | undefined;
const stdout = (bytes: Uint8Array): void => writeWhole(1, bytes);

const HANDLERS: Readonly<Record<string, (only: Only, basedir: string | undefined) => Handler>> = {
  ls: (only) => ({ image: (tree) => printListing(tree, stdout, only) }),
  dump: (only) => ({ image: (tree) => printDumpfile(tree, stdout, only) }),
  objects: (only) => objects(only, () => true),
  "missing-objects": (only, basedir) => objects(only, (payload) => basedir === undefined || !isThere(basedir, payload)),
};

/** Each object's path once, sorted by its bytes. */
function objects(only: Only, wanted: (payload: string) => boolean): Handler {
  // one character a byte, so that the order of strings is that of bytes
  const known = new Map<string, boolean>();
  return {
    image: (tree) =>
      eachObject(
        tree,
        (payload) => {
          const key = binaryOf(payload);
          if (!known.has(key)) known.set(key, wanted(key));
        },
        only,
      ),
    end: () => {
      const lines = [...known].filter(([, is]) => is).map(([key]) => key).sort();
      for (let at = 0; at < lines.length; at += 1024) stdout(bytesOf(lines.slice(at, at + 1024).map((line) => `${line}\n`).join("")));
    },
  };
}

/** An empty path is the directory itself, which is there. */
function isThere(basedir: string, payload: string): boolean {
  try {
    statSync(Buffer.concat([encoder.encode(`${basedir}/`), bytesOf(payload.replace(/^\/+/, ""))]));
    return true;
  } catch {
    return false;
  }
}

function measure(tool: Tool, files: readonly string[]): number {
  if (files.length === 0) refuse(`No files specified\n${usage(tool)}`);
  for (const file of files) {
    const descriptor = or(tool, `Failed to open '${file}'`, () => openForReading(file));
    try {
      print(`${digestOf(descriptor, file)}\n`);
    } catch (error) {
      // without the end of the line, as the C tool
      refuse(`failed to measure '${file}': ${reasonOf(error)}`);
    } finally {
      closeSync(descriptor);
    }
  }
  return 0;
}

/** What the kernel holds the file to, where it does; else computed. */
function digestOf(descriptor: number, label: string): string {
  const measured = measureVerity({ fd: descriptor, label });
  if (measured.kind === "digest" && measured.algorithm === "sha256") return measured.digest;
  if (measured.kind === "digest") throw new Error("Value too large for defined data type");
  if (isRegular(statName({ fd: descriptor, label }).mode)) return digestFile({ fd: descriptor, label }, "sha256").toHex();
  const tree = new MerkleTree("sha256");
  readAll(descriptor, (portion) => tree.update(portion));
  const { root, size } = tree.finish();
  return descriptorDigest(encodeDescriptor("sha256", size, root), "sha256").toHex();
}
