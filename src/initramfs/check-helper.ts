/** Whether the initramfs will start what mounts the root, and whether that can run: unit, what starts it, program, libraries. */

import { Damage } from "./damage.ts";
import { type ElfFacts, isCutOff, machineName, readElf } from "./elf.ts";
import type { Findings } from "./findings.ts";
import { type Helper, isSealroot, SEALROOT_PROGRAM, SEALROOT_UNIT } from "./helpers.ts";
import type { Tree } from "./tree.ts";
import { misplacedLinks, type Unit } from "./unit-file.ts";

const REBUILD = "install sealroot's dracut module, and rebuild the initramfs";
export const ARGUMENT_KEYS = ["composefs.digest", "composefs"] as const;

/** Where the dynamic linker looks, as far as it matters: the linker's own cache can name further places. */
const LIBRARY_DIRECTORIES = ["/usr/lib64", "/usr/lib", "/lib64", "/lib", "/usr/local/lib"] as const;
const MULTIARCH: Readonly<Record<number, string>> = { 62: "x86_64-linux-gnu", 183: "aarch64-linux-gnu", 40: "arm-linux-gnueabihf", 243: "riscv64-linux-gnu" };

export const mebibytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** When no unit of sealroot is there at all. */
export function reportAbsence(tree: Tree, findings: Findings): void {
  const file = tree.file(SEALROOT_PROGRAM);
  if (file === undefined) findings.error("executable", `${SEALROOT_PROGRAM} is not in it`, REBUILD);
  else findings.note("executable", `${SEALROOT_PROGRAM} is in it`);
  findings.error("unit", `${SEALROOT_UNIT} is not in it: nothing would mount the image`, REBUILD);
}

export function checkHelper(tree: Tree, helper: Helper, machine: number | undefined, findings: Findings): void {
  checkUnit(tree, helper, findings);
  checkProgram(tree, helper, machine, findings);
}

function checkUnit(tree: Tree, { unit, links }: Helper, findings: Findings): void {
  if (unit.masked) {
    findings.error("unit", `${unit.name} is masked`, "remove the link to /dev/null, and rebuild the initramfs");
    return;
  }
  findings.ok("unit", unit.path);
  if (links.length > 0) {
    findings.ok("wants link", links.join(", "));
  } else {
    const [misplaced] = misplacedLinks(tree, unit.name);
    if (misplaced === undefined) findings.error("wants link", `nothing starts ${unit.name}: there is no link in initrd-root-fs.target.wants`, REBUILD);
    else findings.error("wants link", `${misplaced} is where systemd does not look, so ${unit.name} is never started`, "the dracut module is older than dracut 109; update it, and rebuild the initramfs");
  }
  for (const key of ARGUMENT_KEYS) {
    if (!startsFor(tree, unit, key)) findings.warning("conditions", `${unit.name} is not started by ${key}=`);
  }
}

/** Whether the unit's conditions let it start when `key` is on the kernel command line, and no other argument of ours. */
export function startsFor(tree: Tree, unit: Unit, key: string): boolean {
  let triggers = 0;
  let triggered = false;
  let allowed = true;
  const judge = (value: string, holds: (operand: string) => boolean): void => {
    const [, pipe = "", negated = "", operand = ""] = /^(\|?)\s*(!?)\s*(.*)$/.exec(value) ?? [];
    const result = holds(operand) !== (negated === "!");
    if (pipe === "|") {
      triggers++;
      triggered ||= result;
    } else {
      allowed &&= result;
    }
  };
  for (const value of unit.values.get("Unit.ConditionKernelCommandLine") ?? []) judge(value, (operand) => operand === key);
  for (const value of unit.values.get("Unit.ConditionPathExists") ?? []) judge(value, (operand) => tree.find(operand) !== undefined);
  return allowed && (triggers === 0 || triggered);
}

function checkProgram(tree: Tree, helper: Helper, machine: number | undefined, findings: Findings): void {
  const { program, file, identity } = helper;
  if (program === undefined) {
    if (!helper.unit.masked) findings.error("executable", `${helper.unit.name} runs nothing`, REBUILD);
    return;
  }
  if (file === undefined) {
    findings.error("executable", `${program} is not in it`, REBUILD);
    return;
  }
  const { inode } = file;
  if ((inode.mode & 0o111) === 0) {
    findings.error("executable", `${program} is not executable (mode ${inode.mode.toString(8)})`, REBUILD);
    return;
  }
  if (inode.data === undefined || inode.data.length < inode.size) {
    findings.warning("executable", `${program} (${mebibytes(inode.size)}) was not looked into: it is of a size or a name that no helper has`);
    return;
  }
  let facts: ElfFacts;
  try {
    facts = readElf(inode.data);
    if (identity === "sealroot" && isCutOff(inode.data)) {
      findings.error("executable", `${program} went through strip, which cut its program out: what is left is a bare JavaScript runtime`, "rebuild the initramfs without stripping (dracut --nostrip), or with sealroot's dracut module, which sees to it");
      return;
    }
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    findings.error("executable", `${program} cannot run: ${error.message}`, REBUILD);
    return;
  }
  if (machine !== undefined && facts.machine !== machine) {
    findings.error("executable", `${program} is for ${machineName(facts.machine)}, the rest of it for ${machineName(machine)}`, `install the executable for ${machineName(machine)}, and rebuild the initramfs`);
    return;
  }
  if (identity === "sealroot" && !isSealroot(file)) {
    findings.error("executable", `${program} is some other program, not sealroot`, REBUILD);
    return;
  }
  const alias = identity === "sealroot" && helper.unit.name !== SEALROOT_UNIT ? ", which is sealroot" : "";
  findings.ok("executable", `${program}${alias}  ${machineName(facts.machine)}, ${mebibytes(inode.size)}`);
  checkLibraries(tree, program, facts, findings);
}

function checkLibraries(tree: Tree, program: string, facts: ElfFacts, findings: Findings): void {
  const multiarch = MULTIARCH[facts.machine];
  const directories = LIBRARY_DIRECTORIES.flatMap((directory) => (multiarch === undefined ? [directory] : [directory, `${directory}/${multiarch}`]));
  const missing = facts.needed.filter((name) => !directories.some((directory) => tree.file(`${directory}/${name}`) !== undefined));
  if (facts.interpreter !== undefined && tree.file(facts.interpreter) === undefined) missing.unshift(facts.interpreter);
  if (missing.length > 0) findings.error("libraries", `${program} needs ${missing.join(", ")}`, "rebuild the initramfs on a system where the executable runs");
  else findings.ok("libraries", facts.needed.length === 0 ? "none needed" : `all ${facts.needed.length} that it needs`);
}
