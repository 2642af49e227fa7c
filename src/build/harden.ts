/**
 * Changes to the compiled executable, all in place: file size, sections and addresses stay as they are.
 *
 * The entry code needs room in the executable segment. The runtime exports, for native addons, the
 * functions of libuv; those that it does not offer on Linux are stubs of one call each that report it.
 * Nothing in the program can reach them (addons are off, and nothing here loads one), they stand side
 * by side, and the dynamic symbol table names them: so the room is found by name, not by a number.
 */

import { dynamicSymbols, EM_AARCH64, EM_X86_64, type Elf, ENTRY_OFFSET, offsetOf, readElf } from "./elf.ts";
import { entryCode } from "./entry-code.ts";
import type { EntryRequest } from "./entry-request.ts";
import { coverProgram } from "./program-part.ts";

export type EntryPlan = Pick<EntryRequest, "allowed" | "withoutProgram" | "withoutMemory" | "withoutProc">;

/** Where code may stand: from the first to behind the last of some functions that nothing calls. */
export interface Room {
  readonly address: number;
  readonly size: number;
  readonly first: string;
  readonly last: string;
}

export interface Installed {
  readonly room: Room;
  readonly address: number;
  readonly code: Uint8Array;
}

/** Size of such a stub (frame, name, call), and the most padding between two of them, in bytes. */
const STUB_SIZE: Readonly<Record<number, number>> = { [EM_X86_64]: 14, [EM_AARCH64]: 20 };
const PADDING = 16;

/** The longest run of unsupported-libuv stubs. @throws Error when there is none */
export function findRoom(bytes: Uint8Array, elf: Elf): Room {
  const size = STUB_SIZE[elf.machine];
  const stubs = dynamicSymbols(bytes, elf)
    .filter((symbol) => symbol.defined && symbol.kind === 2 && symbol.name.startsWith("uv_") && symbol.size === size)
    .sort((left, right) => left.address - right.address);
  let best: Room | undefined;
  let run: Room | undefined;
  for (const stub of stubs) {
    const end = stub.address + stub.size;
    if (run !== undefined && stub.address - (run.address + run.size) < PADDING) run = { ...run, size: end - run.address, last: stub.name };
    else run = { address: stub.address, size: stub.size, first: stub.name, last: stub.name };
    if (best === undefined || run.size > best.size) best = run;
  }
  if (best === undefined) throw new Error("the runtime has no room for the entry code: no libuv stubs are exported");
  return best;
}

/** Puts the entry code into `bytes` and makes it the first to run. */
export function installEntryCode(bytes: Buffer, plan: EntryPlan): Installed {
  const program = coverProgram(bytes);
  const elf = readElf(bytes);
  const room = findRoom(bytes, elf);
  const address = Math.ceil(room.address / 16) * 16;
  const code = entryCode({ machine: elf.machine, address, next: elf.entry, program, ...plan });
  const size = room.address + room.size - address;
  if (code.length > size) throw new Error(`the entry code takes ${code.length} bytes, the room has ${size}`);
  bytes.set(code, offsetOf(elf, address));
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(ENTRY_OFFSET, BigInt(address), true);
  return { room, address, code };
}
