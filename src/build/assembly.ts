/** Puts machine code together from instructions written as bytes: labels, distances, data behind the code. Pure. */

/** One instruction: its bytes with the distance left at zero, what fills it in, and a label before it. */
export interface Instruction {
  readonly hex: string;
  readonly target?: string;
  readonly label?: string;
}

export function i(hex: string, target?: string): Instruction {
  return target === undefined ? { hex } : { hex, target };
}

export function at(label: string, instruction: Instruction): Instruction {
  return { ...instruction, label };
}

/** A 32-bit immediate, little-endian, as hex. */
export function imm32(value: number): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes.toHex();
}

/** Bytes of an instruction, with the distance from it (or its end) to the target filled in. */
export type Patch = (hex: string, from: number, to: number) => Uint8Array;

export function fits(value: number, bits: number): number {
  if (value < -(2 ** (bits - 1)) || value >= 2 ** (bits - 1)) throw new Error(`entry code: a distance of ${value} does not fit`);
  return value;
}

/**
 * @param origin virtual address of the first byte
 * @param next where the label "continue" is
 * @param data texts by label, laid down behind the code in this order
 */
export function assemble(code: readonly Instruction[], data: Readonly<Record<string, Uint8Array>>, origin: number, next: number, patch: Patch): Uint8Array {
  const sizeOf = ({ hex }: Instruction): number => (hex.endsWith("r1") ? hex.length / 2 : hex.endsWith("r4") ? hex.length / 2 + 3 : hex.length / 2);
  const labels = new Map<string, number>([["continue", next]]);
  let end = origin;
  for (const instruction of code) {
    if (instruction.label !== undefined) labels.set(instruction.label, end);
    end += sizeOf(instruction);
  }
  for (const [name, bytes] of Object.entries(data)) {
    labels.set(name, end);
    end += bytes.length;
  }
  const out = new Uint8Array(end - origin);
  let position = 0;
  for (const { hex, target } of code) {
    const to = target === undefined ? undefined : labels.get(target);
    if (target !== undefined && to === undefined) throw new Error(`entry code: no label ${target}`);
    const bytes = to === undefined ? Uint8Array.fromHex(hex) : patch(hex, origin + position, to);
    out.set(bytes, position);
    position += bytes.length;
  }
  for (const bytes of Object.values(data)) {
    out.set(bytes, position);
    position += bytes.length;
  }
  return out;
}
