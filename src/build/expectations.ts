/** Judges a finished executable against what it may be. Pure: bytes in, a list of complaints out. */

import { type Elf, headersEnd, interpreter, neededLibraries, offsetOf, PF_W, PF_X, PT_GNU_STACK, readElf, requiredVersions, sectionNamed } from "./elf.ts";
import { uncovered } from "./program-part.ts";
import { readModuleGraph } from "./module-graph.ts";
import { EXEC_ARGUMENTS, type Expectation, GRAPH_FLAG_CROSS, GRAPH_FLAGS } from "./targets.ts";

export interface Wanted {
  readonly expectation: Expectation;
  /** The entry code that must stand at the file's entry. */
  readonly entryCode: Uint8Array;
  /** Texts that must not occur in the program, e.g. the directory that it was built in. */
  readonly forbidden: readonly string[];
}

/** Compares "GLIBC_2.9" and "GLIBC_2.17" by number. */
function versionAbove(version: string, limit: string): boolean {
  const parts = (text: string): number[] => text.replace(/^[A-Z]+_/, "").split(".").map(Number);
  const [left, right] = [parts(version), parts(limit)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function checkSegments(elf: Elf, complain: (text: string) => void): void {
  for (const segment of elf.segments) {
    if ((segment.flags & PF_W) !== 0 && (segment.flags & PF_X) !== 0) {
      complain(`the segment at 0x${segment.address.toString(16)} is writable and executable`);
    }
  }
  const stack = elf.segments.find((segment) => segment.type === PT_GNU_STACK);
  if (stack === undefined) complain("there is no GNU_STACK header: the kernel would make the stack executable");
}

/** @returns what is not as it must be, one sentence each; empty when all is well */
export function judge(bytes: Uint8Array, wanted: Wanted): readonly string[] {
  const complaints: string[] = [];
  const complain = (text: string): void => void complaints.push(text);
  const same = (what: string, found: unknown, expected: unknown): void => {
    if (found !== expected) complain(`${what}: found ${String(found)}, expected ${String(expected)}`);
  };
  const { expectation } = wanted;
  const elf = readElf(bytes);
  same("machine", elf.machine, expectation.machine);
  same("interpreter", interpreter(bytes, elf), expectation.interpreter);
  same("needed libraries", neededLibraries(bytes, elf).join(" "), expectation.libraries.join(" "));
  const { glibc } = expectation;
  for (const version of requiredVersions(bytes, elf)) {
    if (glibc === undefined || !version.startsWith("GLIBC_")) complain(`a library is asked for version ${version}`);
    else if (versionAbove(version, glibc)) complain(`the C library is asked for ${version}, above ${glibc}`);
  }
  checkSegments(elf, complain);
  if (bytes.length > expectation.largest) complain(`the file has ${bytes.length} bytes, more than ${expectation.largest}`);

  const entry = offsetOf(elf, elf.entry);
  if (Buffer.compare(bytes.subarray(entry, entry + wanted.entryCode.length), wanted.entryCode) !== 0) complain("the entry code is not at the entry of the file");

  const lost = uncovered(bytes, elf, headersEnd(bytes));
  if (lost.length > 0) complain(`${lost.length} bytes, the first at ${String(lost[0])}, are in no section: strip would lose them`);

  const section = sectionNamed(elf, ".bun");
  const graph = readModuleGraph(bytes.subarray(section.offset, section.offset + section.size));
  same("built-in arguments", graph.execArguments, EXEC_ARGUMENTS);
  same("switches", `0x${(graph.flags & ~GRAPH_FLAG_CROSS).toString(16)}`, `0x${GRAPH_FLAGS.toString(16)}`);
  const payload = Buffer.from(graph.payload.buffer, graph.payload.byteOffset, graph.payload.byteLength);
  for (const text of wanted.forbidden) {
    if (payload.includes(text, 0, "latin1") || payload.includes(text, 0, "utf16le")) complain(`"${text}" stands in the program`);
  }
  if (payload.includes("sourceMappingURL")) complain("a source map is referred to");
  return complaints;
}
