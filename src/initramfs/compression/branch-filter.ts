/**
 * The filters that xz can put in front of LZMA2 for machine code: they turn the absolute addresses of branches, which compress
 * better, back into relative ones (The .xz File Format, section 5.3.2). Here for x86 and ARM64.
 */

import { Damage } from "../damage.ts";
import type { Emit } from "./index.ts";

const X86 = 4;
const ARM64 = 10;

/** Converts in place as much as can be converted without knowing what follows. @returns how many bytes are done */
type Convert = (bytes: Uint8Array, view: DataView, position: number) => number;

export interface BranchFilter {
  take(piece: Uint8Array): void;
  /** Hands on the last bytes, which no instruction can begin in. */
  end(): void;
}

export function branchFilter(id: number, start: number, emit: Emit): BranchFilter {
  if (id !== X86 && id !== ARM64) throw new Damage(`it is filtered for another machine (filter ${id}), which is not read here`);
  const convert = id === X86 ? x86() : arm64;
  let position = start;
  let kept = new Uint8Array(0);
  return {
    take(piece) {
      const bytes = new Uint8Array(kept.length + piece.length);
      bytes.set(kept);
      bytes.set(piece, kept.length);
      const done = convert(bytes, new DataView(bytes.buffer), position);
      if (done > 0) emit(bytes.subarray(0, done));
      position = (position + done) >>> 0;
      kept = bytes.slice(done);
    },
    end() {
      if (kept.length > 0) emit(kept);
    },
  };
}

/** B(L) and ADRP with an immediate in the range that the encoder converts. */
function arm64(bytes: Uint8Array, view: DataView, position: number): number {
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    const instruction = view.getUint32(at, true);
    const here = position + at;
    if (instruction >>> 26 === 0x25) {
      view.setUint32(at, 0x94000000 | ((instruction - (here >>> 2)) & 0x03ffffff), true);
    } else if ((instruction & 0x9f000000) >>> 0 === 0x90000000) {
      const absolute = ((instruction >>> 29) & 3) | ((instruction >>> 3) & 0x1ffffc);
      if ((absolute + 0x20000) & 0x1c0000) continue;
      const relative = absolute - (here >>> 12);
      const sign = relative & 0x20000 ? 0xe00000 : 0;
      view.setUint32(at, (instruction & 0x9000001f) | ((relative & 3) << 29) | ((relative & 0x3fffc) << 3) | sign, true);
    }
  }
  return at;
}

/**
 * CALL and JMP (E8, E9) with an operand whose top byte is 00 or FF. `recent` remembers which of the three bytes before were
 * opcodes that were left alone: then what looks like an opcode now may lie inside the operand of one of them.
 */
function x86(): Convert {
  let recent = 0;
  const isSign = (byte: number | undefined): boolean => byte === 0x00 || byte === 0xff;
  /** How many bytes before the end of the operand the most recent such opcode's operand ends, by the bits of `recent`. */
  const overlap = [0, 1, 2, 2, 3, 3, 3, 3] as const;

  return (bytes, view, position) => {
    let at = 0;
    while (at + 4 < bytes.length) {
      if (((bytes[at] ?? 0) & 0xfe) !== 0xe8) {
        recent = (recent << 1) & 7;
        at++;
        continue;
      }
      const covered = overlap[recent] ?? 0;
      const ambiguous = recent === 3 || recent > 4 || (recent !== 0 && isSign(bytes[at + 4 - covered]));
      if (ambiguous || !isSign(bytes[at + 4])) {
        recent = ((recent << 1) | 1) & 7;
        at++;
        continue;
      }
      let operand = view.getUint32(at + 1, true);
      let relative: number;
      for (;;) {
        relative = (operand - (position + at + 5)) >>> 0;
        if (recent === 0 || !isSign((relative >>> (24 - covered * 8)) & 0xff)) break;
        operand = (relative ^ (2 ** (32 - covered * 8) - 1)) >>> 0;
      }
      view.setUint32(at + 1, relative & 0x01000000 ? relative | 0xff000000 : relative & 0x00ffffff, true);
      recent = 0;
      at += 5;
    }
    return at;
  };
}
