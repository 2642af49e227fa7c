/** Looks through an initramfs or a unified kernel image and reports whether it can boot a sealed root. */

import { SealrootError } from "../errors/index.ts";
import { checkCommandLine } from "./check-command-line.ts";
import { checkGuard } from "./check-guard.ts";
import { checkHelper, reportAbsence } from "./check-helper.ts";
import { checkKernels } from "./check-kernel.ts";
import { type BootPolicy, checkPolicy, type PolicyReader } from "./check-policy.ts";
import { Damage } from "./damage.ts";
import { elfMachine, machineName } from "./elf.ts";
import { type Finding, Findings } from "./findings.ts";
import { findHelpers, type Helper, SEALROOT_UNIT } from "./helpers.ts";
import { keepForChecks } from "./keep.ts";
import type { Tree } from "./tree.ts";
import { isPortableExecutable, kernelRelease, type Profile, readUki, sectionText } from "./uki.ts";
import { looksLikeInitramfs, type Segment, skipZeros, unpack, type Unpacked } from "./unpack.ts";

/** What may come out of one initramfs, in bytes; real ones unpack to a tenth of this. */
export const DEFAULT_LIMIT = 2 ** 31;

export interface CheckOptions {
  /** Accept a peer of sealroot as what mounts the root. */
  readonly anyHelper: boolean;
  /** Bytes that an initramfs may unpack to. */
  readonly limit: number;
  /** How a boot reads its policy. */
  readonly policyReader: PolicyReader;
  /** Told now and then how many bytes were unpacked so far. */
  readonly progress?: (unpacked: number) => void;
}

export interface CheckReport {
  readonly kind: "initramfs" | "uki";
  readonly machine: string | undefined;
  readonly kernels: readonly string[];
  readonly segments: readonly Segment[];
  /** Who mounts the root; undefined if nobody would. */
  readonly helper: string | undefined;
  readonly findings: readonly Finding[];
  /** No finding is an error. */
  readonly bootable: boolean;
}

interface Image {
  readonly initramfs: Uint8Array;
  /** What a unified kernel image says beside its initramfs. */
  readonly uki?: { readonly machine: number | undefined; readonly release: string | undefined; readonly commandLine: string | undefined };
}

interface Examined {
  readonly unpacked: Unpacked;
  readonly helper: Helper | undefined;
  readonly kernels: readonly string[];
  readonly machine: number | undefined;
}

/** @throws SealrootError SR-E601 for what is no initramfs, SR-E602 for one that is damaged */
export async function checkInitramfs(file: Uint8Array, path: string, options: CheckOptions): Promise<CheckReport> {
  try {
    return isPortableExecutable(file) ? await checkUki(file, path, options) : await checkPlain(file, path, options);
  } catch (error) {
    if (error instanceof Damage) throw new SealrootError("SR-E602", { details: [["file", path], ["found", error.message]], cause: undefined });
    throw error;
  }
}

async function checkPlain(file: Uint8Array, path: string, options: CheckOptions): Promise<CheckReport> {
  if (!looksLikeInitramfs(file)) throw new SealrootError("SR-E601", { details: [["file", path], ["found", describeBeginning(file)]] });
  const findings = new Findings();
  const examined = await examine({ initramfs: file }, new Unpacker(options), options, findings);
  return report("initramfs", [examined], findings.list);
}

async function checkUki(file: Uint8Array, path: string, options: CheckOptions): Promise<CheckReport> {
  const { machine, profiles } = readUki(file);
  if (!profiles.some(({ sections }) => sections.has(".initrd"))) {
    throw new SealrootError("SR-E601", { details: [["file", path], ["found", "a PE file without a section .initrd: a kernel, or some other EFI program"]] });
  }
  const unpacker = new Unpacker(options);
  const examined: Examined[] = [];
  const findings: Finding[] = [];
  for (const profile of profiles) {
    const own = new Findings(profiles.length > 1 ? profile.id : undefined);
    const initramfs = profile.sections.get(".initrd");
    if (initramfs === undefined) own.error("initramfs", "there is no section .initrd");
    else if (!looksLikeInitramfs(initramfs)) own.error("initramfs", `the section .initrd is no initramfs: it is ${describeBeginning(initramfs)}`);
    else {
      const uki = { machine, release: releaseOf(profile), commandLine: textOf(profile, ".cmdline") };
      examined.push(await examine({ initramfs, uki }, unpacker, options, own));
    }
    findings.push(...own.list);
  }
  return report("uki", examined, findings);
}

const textOf = ({ sections }: Profile, name: string): string | undefined => {
  const section = sections.get(name);
  return section === undefined ? undefined : sectionText(section);
};

function releaseOf(profile: Profile): string | undefined {
  const name = textOf(profile, ".uname")?.trim();
  if (name !== undefined && name !== "") return name;
  const kernel = profile.sections.get(".linux");
  return kernel === undefined ? undefined : kernelRelease(kernel);
}

function report(kind: CheckReport["kind"], examined: readonly Examined[], findings: readonly Finding[]): CheckReport {
  const machine = examined.map((one) => one.machine).find((number) => number !== undefined);
  return {
    kind,
    machine: machine === undefined ? undefined : machineName(machine),
    kernels: [...new Set(examined.flatMap(({ kernels }) => kernels))],
    segments: examined[0]?.unpacked.segments ?? [],
    helper: examined[0]?.helper?.identity,
    findings,
    bootable: !findings.some(({ verdict }) => verdict === "error"),
  };
}

/** The machine that the initramfs is for, as its service manager or its init says. */
function machineOf(tree: Tree): number | undefined {
  for (const path of ["/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init", "/bin/sh", "/bin/busybox"]) {
    const data = tree.file(path)?.inode.data;
    const machine = data === undefined ? undefined : elfMachine(data);
    if (machine !== undefined) return machine;
  }
  return undefined;
}

/** Unpacks each initramfs of a file once, however many profiles share it; the limit is on all of them together. */
class Unpacker {
  readonly #known = new Map<Uint8Array, Unpacked>();
  readonly #options: CheckOptions;
  #total = 0;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  async unpack(initramfs: Uint8Array): Promise<Unpacked> {
    const known = this.#known.get(initramfs);
    if (known !== undefined) return known;
    const { limit, progress } = this.#options;
    const unpacked = await unpack(initramfs, { keep: keepForChecks, limit: limit - this.#total, ...(progress === undefined ? {} : { progress }) });
    this.#total += unpacked.segments.reduce((sum, segment) => sum + segment.unpacked, 0);
    this.#known.set(initramfs, unpacked);
    return unpacked;
  }
}

async function examine(image: Image, unpacker: Unpacker, { anyHelper, policyReader }: CheckOptions, findings: Findings): Promise<Examined> {
  const unpacked = await unpacker.unpack(image.initramfs);
  const { tree } = unpacked;
  const inside = machineOf(tree);
  const machine = image.uki?.machine ?? inside;
  if (inside !== undefined && machine !== undefined && inside !== machine) {
    findings.error("machine", `the image is for ${machineName(machine)}, its initramfs for ${machineName(inside)}`);
  }
  checkManager(tree, findings);

  const helpers = findHelpers(tree);
  const helper = choose(helpers, anyHelper);
  if (helper === undefined) reportAbsence(tree, findings);
  else checkHelper(tree, helper, machine, findings);
  reportOthers(helpers, helper, findings);

  const { commandLine, release } = image.uki ?? {};
  const policyFindings = findings.aside();
  const boot = checkPolicy(tree, policyReader, commandLine ?? "", policyFindings);
  if (helper?.identity === "sealroot") checkGuard(tree, boot?.demandsVerity ?? false, findings);
  else if (helper !== undefined && boot !== undefined) checkPeer(helper, boot, findings);

  const kernels = checkKernels(tree, release, boot?.demandsVerity === true && boot.trust?.insecureArgument !== true, findings);
  findings.list.push(...policyFindings.list);
  if (image.uki !== undefined) {
    if (commandLine === undefined) findings.warning("command line", "there is no section .cmdline: the boot loader's is taken, which nothing signs");
    else checkCommandLine(commandLine, { tree, helper, boot, release }, findings);
  }
  return { unpacked, helper, kernels, machine };
}

/** A peer reads its own configuration at most. */
function checkPeer({ identity }: Helper, boot: BootPolicy, findings: Findings): void {
  if (boot.table !== undefined && boot.table.level !== "none") findings.error("policy", `${identity} does not read [trust]: the policy would not hold`);
  else if (boot.demandsVerity && identity !== "ostree-prepare-root") findings.error("policy", `${identity} does not read OSTree's configuration: the policy would not hold`);
}

/** The units of all helpers are systemd's. */
function checkManager(tree: Tree, findings: Findings): void {
  const manager = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"].find((path) => tree.file(path) !== undefined);
  if (tree.find("/init") === undefined) findings.error("init", "there is no /init: the kernel would not start it", "rebuild the initramfs");
  if (manager === undefined) findings.error("init", "there is no systemd in it, which starts the units", "rebuild the initramfs with systemd (dracut: the module systemd-initrd)");
  else if (tree.find("/etc/initrd-release") === undefined) findings.error("init", "there is no /etc/initrd-release: systemd would not take it for an initramfs", "rebuild the initramfs with dracut's module systemd-initrd");
  else findings.ok("init", manager);
}

/** sealroot's own unit if there is one, then any that runs sealroot; a peer only when that is asked for. */
function choose(helpers: readonly Helper[], anyHelper: boolean): Helper | undefined {
  const works = ({ unit, links }: Helper): boolean => !unit.masked && links.length > 0;
  const ours = helpers.filter(({ identity }) => identity === "sealroot");
  const best = ours.find(works) ?? ours.find(({ unit }) => unit.name === SEALROOT_UNIT) ?? ours[0];
  if (!anyHelper || (best !== undefined && works(best))) return best;
  return helpers.find(works) ?? best;
}

function reportOthers(helpers: readonly Helper[], chosen: Helper | undefined, findings: Findings): void {
  for (const other of helpers) {
    if (other === chosen) continue;
    const active = !other.unit.masked && other.links.length > 0;
    const text = `${other.unit.name} (${other.identity})${active ? "" : ", which nothing starts"}`;
    // ostree-prepare-root waits for ostree=, which is another boot
    if (chosen !== undefined && active && other.identity !== "ostree-prepare-root") {
      findings.error("other helper", `${text} would mount the root as well: the second of the two fails`, "leave one of them out of the initramfs");
    } else {
      findings.note("other helper", `${text} is in it as well`);
    }
  }
}

function describeBeginning(bytes: Uint8Array): string {
  if (bytes.length === 0) return "empty";
  if (skipZeros(bytes, 0) === bytes.length) return "zeros only";
  const kind = elfMachine(bytes) === undefined ? undefined : "an ELF file";
  return kind ?? `something that begins with ${Buffer.from(bytes.subarray(0, 6)).toString("hex")}`;
}
