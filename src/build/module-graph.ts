/**
 * The part that the compiler appends to the runtime: modules, byte code, built-in arguments, switches.
 * Only its tail is read. Pure. Source: found by experiment on files made with known options (1.4.5).
 */

const TRAILER = new TextEncoder().encode("\n---- Bun! ----\n");
/** u64 size of what stands before, u32 pairs (offset, length) of the modules, u32 entry, a pair of the arguments, u32 switches. */
const TAIL_SIZE = 32;

export interface ModuleGraph {
  /** Everything between the runtime and the trailer. */
  readonly payload: Uint8Array;
  readonly execArguments: string;
  readonly flags: number;
}

/** @param section content of the .bun section. @throws Error when there is no graph, or its numbers do not add up */
export function readModuleGraph(section: Uint8Array): ModuleGraph {
  const end = Buffer.from(section.buffer, section.byteOffset, section.byteLength).lastIndexOf(TRAILER);
  if (end < TAIL_SIZE) throw new Error("the file holds no compiled program");
  const tail = new DataView(section.buffer, section.byteOffset + end - TAIL_SIZE, TAIL_SIZE);
  const size = Number(tail.getBigUint64(0, true));
  const start = end - TAIL_SIZE - size;
  const [offset, length] = [tail.getUint32(20, true), tail.getUint32(24, true)];
  if (start < 0 || offset + length > size) throw new Error("the compiled program's own numbers do not add up");
  const payload = section.subarray(start, end - TAIL_SIZE);
  return { payload, execArguments: new TextDecoder().decode(payload.subarray(offset, offset + length)), flags: tail.getUint32(28, true) };
}
