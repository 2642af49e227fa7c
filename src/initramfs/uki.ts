/**
 * Unified kernel images: PE files whose sections carry kernel, initramfs and command line (UAPI Group Specifications,
 * "Unified Kernel Image"; Microsoft PE/COFF). Profiles: what stands before the first .profile section is common to all, each
 * .profile begins one, whose own sections take the place of the common ones.
 */

import { byteAt, Damage, slice, uint16le, uint32le } from "./damage.ts";

const PE_OFFSET = 0x3c;
const COFF_LENGTH = 20;
const SECTION_LENGTH = 40;
/** The Windows loader takes 96, UEFI's no more; the specification has about fifteen kinds. */
const MOST_SECTIONS = 96;

/** PE machine numbers to ELF's. */
const ELF_MACHINES: Readonly<Record<number, number>> = { 0x8664: 62, 0xaa64: 183, 0x014c: 3, 0x01c4: 40, 0x5064: 243, 0x6264: 258 };

export interface Profile {
  /** ID of the .profile section, "" for an image without profiles. */
  readonly id: string;
  readonly sections: ReadonlyMap<string, Uint8Array>;
}

export interface UnifiedKernelImage {
  /** ELF's number of the machine; undefined for one that is not known here. */
  readonly machine: number | undefined;
  readonly profiles: readonly Profile[];
}

export function isPortableExecutable(file: Uint8Array): boolean {
  return file[0] === 0x4d && file[1] === 0x5a;
}

/** Text of a section, up to the first NUL; bytes that are not UTF-8 one to one. */
export function sectionText(section: Uint8Array): string {
  const end = section.indexOf(0);
  const bytes = end < 0 ? section : section.subarray(0, end);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("latin1");
  }
}

/** @throws Damage */
export function readUki(file: Uint8Array): UnifiedKernelImage {
  const header = uint32le(file, PE_OFFSET);
  if (uint32le(file, header) !== 0x4550) throw new Damage("it begins like a PE file and has no PE header");
  const machine = uint16le(file, header + 4);
  const count = uint16le(file, header + 6);
  if (count > MOST_SECTIONS) throw new Damage(`it has ${count} sections`);
  const table = header + 4 + COFF_LENGTH + uint16le(file, header + 20);

  const common = new Map<string, Uint8Array>();
  const profiles: { id: string; sections: Map<string, Uint8Array> }[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * SECTION_LENGTH;
    const name = Buffer.from(slice(file, at, at + 8)).toString("latin1").split("\0", 1)[0] ?? "";
    const virtualSize = uint32le(file, at + 8);
    const rawSize = uint32le(file, at + 16);
    const start = uint32le(file, at + 20);
    // In the file the section is padded; what is longer in memory is zeros.
    const length = Math.min(virtualSize, rawSize);
    if (length > 0 && start + length > file.length) throw new Damage(`its section ${name} lies beyond its end`);
    const content = length === 0 ? new Uint8Array(0) : slice(file, start, start + length);
    if (name === ".profile") {
      profiles.push({ id: /^ID=(.*)$/m.exec(sectionText(content))?.[1]?.replace(/^["'](.*)["']$/, "$1") ?? `${profiles.length}`, sections: new Map(common) });
      continue;
    }
    const current = profiles.at(-1);
    // Of two sections of one name in one place, systemd-stub takes the first.
    if (current === undefined) {
      if (!common.has(name)) common.set(name, content);
    } else if (!current.sections.has(name) || current.sections.get(name) === common.get(name)) {
      current.sections.set(name, content);
    }
  }
  if (profiles.length === 0) profiles.push({ id: "", sections: common });
  return { machine: ELF_MACHINES[machine], profiles };
}

/** The kernel's release as the x86 boot protocol has it (offset 0x20e), for an image without .uname. */
export function kernelRelease(kernel: Uint8Array): string | undefined {
  try {
    if (uint32le(kernel, 0x202) !== 0x53726448) return undefined; // "HdrS"
    const at = uint16le(kernel, 0x20e) + 0x200;
    let end = at;
    while (byteAt(kernel, end) !== 0 && end - at < 256) end++;
    return Buffer.from(slice(kernel, at, end)).toString("latin1").split(" ", 1)[0];
  } catch {
    return undefined;
  }
}
