/**
 * mount.composefs, by its own name, as mount(8)'s helper or as `sealroot mount.composefs`: the C tool's options, messages and exit
 * statuses (mount.composefs(1)). The digest is asked of the kernel for the descriptor that is then mounted; one of another length never
 * matches.
 */

import { Descriptor, ERRNO, measureVerity, O, openPath, readAt, strerror } from "../linux/index.ts";
import { mountComposefs } from "../mount/composefs.ts";
import { placeMount } from "../mount/index.ts";
import { type CommandHelp, getopt } from "../terminal/index.ts";
import { errnoOf, fail, reasonOf, runTool, type Tool, ToolExit } from "./peer-tool.ts";

export const help: CommandHelp = {
  name: "mount.composefs",
  summary: "Mount an image with its objects, with the options and messages of the C tool of that name.",
  description:
    "Options, after -o and separated by commas: basedir=DIR[:DIR…] (needed), digest=HEX, verity, tryverity, ro, rw, upperdir=DIR, workdir=DIR,\n" +
    "idmap=FILE. -t composefs is taken too, as mount(8) gives it.",
  operands: "IMAGE MOUNTPOINT",
  options: {},
  examples: [["sealroot mount.composefs -o basedir=objects,verity image.cfs /mnt", "the kernel refuses objects that are not what the image says"]],
};

export function run(argv: readonly string[], calledAs?: string): Promise<number> {
  return runTool("mount.composefs", calledAs, (tool) => {
    const { options, operands } = parse(tool, argv);
    const [image, mountPoint] = operands;
    if (image === undefined) throw new ToolExit(`No source path specified\n${usage(tool)}`);
    if (mountPoint === undefined) throw new ToolExit(`No mount path specified\n${usage(tool)}`);
    const wanted = parseOptions(tool, options);
    const stores = splitStores(tool, wanted);
    if ((wanted.upperdir === undefined) !== (wanted.workdir === undefined)) failLine(tool, "Both workdir and upperdir must be specified if used");
    using resources = new DisposableStack();
    const open = (path: string, flags: number, otherwise: (reason: string) => never): Descriptor => {
      try {
        return resources.use(openPath(path, flags));
      } catch (error) {
        return otherwise(reasonOf(error));
      }
    };
    const idMapping = wanted.idmap === undefined ? undefined : open(wanted.idmap, O.RDONLY | O.NOCTTY, (reason) => failLine(tool, `Failed to open userns ${wanted.idmap ?? ""}: ${reason}`));
    const file = open(image, O.RDONLY, (reason) => failLine(tool, `Failed to open ${image}: ${reason}`));
    const refuse = (reason: string): never => failLine(tool, `Failed to mount composefs ${image}: ${reason}`);
    try {
      checkDigest(file, wanted.digest, refuse);
      const header = readHeader(file, refuse);
      const directory = (path: string): Descriptor => open(path, O.RDONLY | O.DIRECTORY, refuse);
      const [first, ...others] = stores.map(directory);
      if (first === undefined) return refuse(strerror(ERRNO.EINVAL));
      const writable = wanted.upperdir === undefined || wanted.workdir === undefined ? undefined : { upper: directory(wanted.upperdir), work: directory(wanted.workdir) };
      const verity = wanted.verity ? "require" : wanted.tryverity ? "try" : "none";
      mountComposefs({ source: "composefs", image: file, acl: header.acl, stores: [first, ...others], verity, writable, readOnly: wanted.readOnly, idMapping }, (mount) => {
        using target = openPath(mountPoint, O.PATH);
        placeMount(mount, target);
      });
      return 0;
    } catch (error) {
      if (error instanceof ToolExit) throw error;
      return refuse(deepestReason(error));
    }
  });
}

/** Its messages end with an empty line. */
const failLine = (tool: Tool, message: string): never => fail(tool, `${message}\n`);

/** A missing driver is told with our own words; the C tool's are those of the errno below. */
function deepestReason(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) if (errnoOf(at) !== undefined) return reasonOf(at);
  return reasonOf(error);
}

function usage({ shortName }: Tool): string {
  return [
    `usage: ${shortName} [-t type] [-o opt[,opts..]] IMAGE MOUNTPOINT`,
    "Example:",
    `  ${shortName} -o basedir=/composefs/objects exampleimage.cfs /mnt/exampleimage`,
    "or, as a mount helper:",
    "  mount -t composefs -o basedir=/composefs/objects exampleimage.cfs /mnt/exampleimage",
    "",
    "Supported options:",
    "  basedir=PATH[:PATH]    Specify location of basedir(s)",
    "  digest=DIGEST          Specify required image digest",
    "  idmap=PATH             Specify path to a user namespace whose ID mapping should be used",
    "  verity                 Require all files to have specified and valid fs-verity digests",
    "  tryverity              If supported by kernel, require fs-verity",
    "  ro                     Read only",
    "  rw                     Read/write",
    "  upperdir               Overlayfs upperdir",
    "  workdir                Overlayfs workdir",
    "",
  ].join("\n");
}

function parse(tool: Tool, argv: readonly string[]): { readonly options: string | undefined; readonly operands: readonly string[] } {
  let options: string | undefined;
  const operands: string[] = [];
  for (const argument of getopt(argv, "ht:o:", [], process.env["POSIXLY_CORRECT"] !== undefined)) {
    if (argument.kind === "complaint") throw new ToolExit(`${tool.calledAs}: ${argument.text}\n${usage(tool)}`);
    if (argument.kind === "operand") operands.push(argument.value);
    else if (argument.name === "h") throw new ToolExit(usage(tool), 0);
    else if (argument.name === "o") options = argument.value;
    else if (argument.value !== "composefs") failLine(tool, `Unsupported fs type '${argument.value ?? ""}'`);
  }
  return { options, operands };
}

interface Wanted {
  basedir?: string;
  digest?: string;
  upperdir?: string;
  workdir?: string;
  idmap?: string;
  verity: boolean;
  tryverity: boolean;
  readOnly: boolean;
}

const WITH_VALUE = ["basedir", "digest", "upperdir", "workdir", "idmap"] as const;

function parseOptions(tool: Tool, text: string | undefined): Wanted {
  const wanted: Wanted = { verity: false, tryverity: false, readOnly: false };
  for (const [key, value] of text === undefined ? [] : splitOptions(text)) {
    const name = WITH_VALUE.find((candidate) => candidate === key);
    if (name !== undefined) wanted[name] = value ?? failLine(tool, `No value specified for ${name} option`);
    else if (key === "verity") wanted.verity = true;
    else if (key === "tryverity") wanted.tryverity = true;
    else if (key === "ro" || key === "rw") wanted.readOnly = key === "ro";
    else failLine(tool, `Unsupported option ${key}`);
  }
  if (wanted.digest !== undefined) wanted.verity = true;
  return wanted;
}

/** At commas; a backslash before a character keeps it from ending anything, and is taken out of values. */
export function splitOptions(text: string): readonly (readonly [key: string, value: string | undefined])[] {
  const options: [string, string | undefined][] = [];
  for (let start = 0; start <= text.length; ) {
    let equals = -1;
    let at = start;
    for (; at < text.length && text[at] !== ","; at++) {
      if (text[at] === "=" && equals < 0) equals = at;
      else if (text[at] === "\\" && at + 1 < text.length) at++;
    }
    options.push(equals < 0 ? [text.slice(start, at), undefined] : [text.slice(start, equals), text.slice(equals + 1, at).replace(/\\(.?)/gs, "$1")]);
    start = at + 1;
  }
  return options;
}

function splitStores(tool: Tool, { basedir }: Wanted): readonly string[] {
  if (basedir === undefined) throw new ToolExit(`No object dirs specified\n${usage(tool)}`);
  const all = basedir.split(":");
  return all.includes("") ? failLine(tool, "Value for basedir option has incorrect format") : all;
}

function checkDigest(file: Descriptor, digest: string | undefined, refuse: (reason: string) => never): void {
  if (digest === undefined) return;
  if (!/^(?:[0-9a-fA-F]{2}){0,64}$/.test(digest)) refuse(strerror(ERRNO.EINVAL));
  // verity is required of the objects all the same
  if (digest === "") return;
  const measured = measureVerity(file);
  if (measured.kind !== "digest") return refuse("Image has no fs-verity");
  if (measured.algorithm !== "sha256" || measured.digest !== digest.toLowerCase()) refuse("Image has wrong fs-verity");
}

const [HEADER_SIZE, MAGIC, FLAG_ACL] = [32, 0xd078629a, 1];

function readHeader(file: Descriptor, refuse: (reason: string) => never): { readonly acl: boolean } {
  const bytes = readAt(file, 0, HEADER_SIZE);
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_SIZE || header.getUint32(0, true) !== MAGIC) return refuse(strerror(ERRNO.EINVAL));
  return { acl: (header.getUint32(8, true) & FLAG_ACL) !== 0 };
}
