/**
 * The first instructions of the executable: machine code that runs before any line of the runtime.
 *
 * Why machine code: BUN_BE_BUN, BUN_OPTIONS and their like act before the first line of our program,
 * the runtime dies without /proc, and a closed standard stream would become whatever file is opened
 * next. None of that can be mended later. The code
 *   1. blanks each environment string whose name is not allowed (its first byte becomes NUL; the
 *      pointers stay, because the C library has seen them and finds the auxiliary vector behind them),
 *   2. opens what is closed of the descriptors 0 to 2 on /dev/null, or on "/" with O_PATH where there
 *      is no /dev (every read and write then fails, and goes nowhere),
 *   3. without /proc says so in one line on standard error and exits,
 *   4. goes on where the file would have begun.
 * It keeps rdx (x86-64) and x0 (arm64), in which the loader hands over its exit function.
 * Source: System V ABI supplements of both processors, "Process Initialization"; syscalls(2).
 */

import { EM_AARCH64, EM_X86_64 } from "./elf.ts";

export interface EntryRequest {
  /** ELF machine number: EM_X86_64 or EM_AARCH64. */
  readonly machine: number;
  /** Virtual address at which the code will stand; a multiple of 16. */
  readonly address: number;
  /** Where the file began before. */
  readonly next: number;
  /** Names of the variables that stay, without "=". */
  readonly allowed: readonly string[];
  /** The line for a missing /proc, newline included, and the exit status that goes with it. */
  readonly withoutProc: { readonly message: string; readonly exit: number };
}

/** What the runtime reads first below /proc, and aborts without. */
const PROC_FILE = "/proc/self/maps";

type Data = Readonly<Record<"allowed" | "null" | "root" | "proc" | "message", Uint8Array>>;

/** The entry code as bytes; position-dependent only in the jump to `next`. */
export function entryCode(request: EntryRequest): Uint8Array {
  for (const name of request.allowed) {
    if (!/^[A-Z_][A-Z0-9_]*$/.test(name)) throw new Error(`entry code: "${name}" is not the name of a variable`);
  }
  const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
  const data: Data = {
    allowed: text(request.allowed.map((name) => `${name}=\0`).join("")),
    null: text("/dev/null"),
    root: text("/"),
    proc: text(PROC_FILE),
    message: text(request.withoutProc.message),
  };
  const length = data.message.length - 1;
  switch (request.machine) {
    case EM_X86_64:
      return assemble(x64(length, request.withoutProc.exit), data, request, patchX64);
    case EM_AARCH64:
      return assemble(arm64(length, request.withoutProc.exit), data, request, patchArm64);
    default:
      throw new Error(`entry code: no code for machine ${request.machine}`);
  }
}

/** One instruction: its bytes with the distance left at zero, what fills it in, and a label before it. */
interface Instruction {
  readonly hex: string;
  readonly target?: string;
  readonly label?: string;
}

function i(hex: string, target?: string): Instruction {
  return target === undefined ? { hex } : { hex, target };
}

function at(label: string, instruction: Instruction): Instruction {
  return { ...instruction, label };
}

/** A 32-bit immediate, little-endian, as hex. */
function imm32(value: number): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes.toHex();
}

// Distances: "r1" and "r4" stand for a relative distance of that many bytes.
function x64(messageLength: number, exit: number): readonly Instruction[] {
  return [
    i("488b0c24"), //               mov   rcx, [rsp]              argc
    i("488d5ccc10"), //             lea   rbx, [rsp+rcx*8+16]     envp
    i("4989d4"), //                 mov   r12, rdx
    at("env", i("488b3b")), //      mov   rdi, [rbx]
    i("4883c308"), //               add   rbx, 8
    i("4885ff"), //                 test  rdi, rdi
    i("74r1", "fds"), //            jz    fds
    i("488d35r4", "allowed"), //    lea   rsi, [rip+allowed]
    at("name", i("4989f8")), //     mov   r8, rdi
    i("803e00"), //                 cmp   byte ptr [rsi], 0
    i("74r1", "drop"), //           je    drop                    end of the list
    at("char", i("ac")), //         lodsb
    i("84c0"), //                   test  al, al
    i("74r1", "env"), //            jz    env                     the whole name matched: keep
    i("413a00"), //                 cmp   al, [r8]
    i("4d8d4001"), //               lea   r8, [r8+1]
    i("74r1", "char"), //           je    char
    at("skip", i("ac")), //         lodsb
    i("84c0"), //                   test  al, al
    i("75r1", "skip"), //           jnz   skip
    i("ebr1", "name"), //           jmp   name
    at("drop", i("c60700")), //     mov   byte ptr [rdi], 0
    i("ebr1", "env"), //            jmp   env
    at("fds", i("31db")), //        xor   ebx, ebx
    at("fd", i("89df")), //         mov   edi, ebx
    i("be01000000"), //             mov   esi, 1                  F_GETFD
    i("b848000000"), //             mov   eax, 72                 fcntl
    i("0f05"), //                   syscall
    i("85c0"), //                   test  eax, eax
    i("79r1", "next"), //           jns   next
    i("488d3dr4", "null"), //       lea   rdi, [rip+null]
    i("be02000000"), //             mov   esi, 2                  O_RDWR
    i("b802000000"), //             mov   eax, 2                  open: takes the lowest free number, which is ebx
    i("0f05"), //                   syscall
    i("85c0"), //                   test  eax, eax
    i("79r1", "next"), //           jns   next
    i("488d3dr4", "root"), //       lea   rdi, [rip+root]
    i("be00002000"), //             mov   esi, 0x200000           O_PATH
    i("b802000000"), //             mov   eax, 2                  open
    i("0f05"), //                   syscall
    at("next", i("ffc3")), //       inc   ebx
    i("83fb03"), //                 cmp   ebx, 3
    i("72r1", "fd"), //             jb    fd
    i("bf9cffffff"), //             mov   edi, -100               AT_FDCWD
    i("488d35r4", "proc"), //       lea   rsi, [rip+proc]
    i("31d2"), //                   xor   edx, edx                F_OK
    i("b80d010000"), //             mov   eax, 269                faccessat
    i("0f05"), //                   syscall
    i("85c0"), //                   test  eax, eax
    i("79r1", "go"), //             jns   go
    i("bf02000000"), //             mov   edi, 2
    i("488d35r4", "message"), //    lea   rsi, [rip+message]
    i(`ba${imm32(messageLength)}`), // mov edx, length
    i("b801000000"), //             mov   eax, 1                  write
    i("0f05"), //                   syscall
    i(`bf${imm32(exit)}`), //       mov   edi, status
    i("b8e7000000"), //             mov   eax, 231                exit_group
    i("0f05"), //                   syscall
    at("go", i("4c89e2")), //       mov   rdx, r12
    i("e9r4", "continue"), //       jmp   the entry of the file as it was
  ];
}

/** movz x<register>, #value */
function movz(register: number, value: number): string {
  if (value > 0xffff) throw new Error(`entry code: ${value} does not fit`);
  return imm32(0xd2800000 + value * 32 + register);
}

// Words are written as the processor reads them; the distance is filled in by the kind of instruction.
function arm64(messageLength: number, exit: number): readonly Instruction[] {
  const word = (value: number, target?: string): Instruction => i(imm32(value), target);
  return [
    word(0xf94003f3), //                    ldr   x19, [sp]               argc
    word(0x8b336ff4), //                    add   x20, sp, x19, lsl #3
    word(0x91004294), //                    add   x20, x20, #16           envp
    word(0xaa0003f5), //                    mov   x21, x0
    at("env", word(0xf8408681)), //         ldr   x1, [x20], #8
    word(0xb4000001, "fds"), //             cbz   x1, fds
    word(0x10000002, "allowed"), //         adr   x2, allowed
    at("name", word(0xaa0103e3)), //        mov   x3, x1
    word(0x39400044), //                    ldrb  w4, [x2]
    word(0x34000004, "drop"), //            cbz   w4, drop                end of the list
    at("char", word(0x38401444)), //        ldrb  w4, [x2], #1
    word(0x34000004, "env"), //             cbz   w4, env                 the whole name matched: keep
    word(0x38401465), //                    ldrb  w5, [x3], #1
    word(0x6b05009f), //                    cmp   w4, w5
    word(0x54000000, "char"), //            b.eq  char
    at("skip", word(0x38401444)), //        ldrb  w4, [x2], #1
    word(0x35000004, "skip"), //            cbnz  w4, skip
    word(0x14000000, "name"), //            b     name
    at("drop", word(0x3900003f)), //        strb  wzr, [x1]
    word(0x14000000, "env"), //             b     env
    at("fds", i(movz(20, 0))), //           mov   x20, #0
    at("fd", word(0xaa1403e0)), //          mov   x0, x20
    i(movz(1, 1)), //                       mov   x1, #1                  F_GETFD
    i(movz(8, 25)), //                      mov   x8, #25                 fcntl
    word(0xd4000001), //                    svc   #0
    word(0xb6f80000, "next"), //            tbz   x0, #63, next
    word(0x92800c60), //                    mov   x0, #-100               AT_FDCWD
    word(0x10000001, "null"), //            adr   x1, null
    i(movz(2, 2)), //                       mov   x2, #2                  O_RDWR
    i(movz(8, 56)), //                      mov   x8, #56                 openat: takes the lowest free number, which is x20
    word(0xd4000001), //                    svc   #0
    word(0xb6f80000, "next"), //            tbz   x0, #63, next
    word(0x92800c60), //                    mov   x0, #-100
    word(0x10000001, "root"), //            adr   x1, root
    word(0xd2a00402), //                    mov   x2, #0x200000           O_PATH
    i(movz(8, 56)), //                      mov   x8, #56                 openat
    word(0xd4000001), //                    svc   #0
    at("next", word(0x91000694)), //        add   x20, x20, #1
    word(0xf1000e9f), //                    cmp   x20, #3
    word(0x54000003, "fd"), //              b.lo  fd
    word(0x92800c60), //                    mov   x0, #-100
    word(0x10000001, "proc"), //            adr   x1, proc
    i(movz(2, 0)), //                       mov   x2, #0                  F_OK
    i(movz(8, 48)), //                      mov   x8, #48                 faccessat
    word(0xd4000001), //                    svc   #0
    word(0xb6f80000, "go"), //              tbz   x0, #63, go
    i(movz(0, 2)), //                       mov   x0, #2
    word(0x10000001, "message"), //         adr   x1, message
    i(movz(2, messageLength)), //           mov   x2, #length
    i(movz(8, 64)), //                      mov   x8, #64                 write
    word(0xd4000001), //                    svc   #0
    i(movz(0, exit)), //                    mov   x0, #status
    i(movz(8, 94)), //                      mov   x8, #94                 exit_group
    word(0xd4000001), //                    svc   #0
    at("go", word(0xaa1503e0)), //          mov   x0, x21
    word(0x14000000, "continue"), //        b     the entry of the file as it was
  ];
}

/** Bytes of an instruction, with the distance from it (or its end) to the target filled in. */
type Patch = (hex: string, from: number, to: number) => Uint8Array;

function fits(value: number, bits: number): number {
  if (value < -(2 ** (bits - 1)) || value >= 2 ** (bits - 1)) throw new Error(`entry code: a distance of ${value} does not fit`);
  return value;
}

/** x86-64: distances count from the end of the instruction, where they always stand. */
function patchX64(hex: string, from: number, to: number): Uint8Array {
  const size = hex.endsWith("r1") ? 1 : 4;
  const opcode = Uint8Array.fromHex(hex.slice(0, -2));
  const bytes = new Uint8Array(opcode.length + size);
  bytes.set(opcode);
  const distance = fits(to - (from + bytes.length), size * 8);
  const view = new DataView(bytes.buffer);
  if (size === 1) view.setInt8(opcode.length, distance);
  else view.setInt32(opcode.length, distance, true);
  return bytes;
}

/** arm64: distances count from the instruction; the field depends on its kind. */
function patchArm64(hex: string, from: number, to: number): Uint8Array {
  const bytes = Uint8Array.fromHex(hex);
  const view = new DataView(bytes.buffer);
  const word = view.getUint32(0, true);
  const distance = to - from;
  const field = (bits: number, shift: number): number => ((fits(distance / 4, bits) & (2 ** bits - 1)) << shift) >>> 0;
  let filled: number;
  if ((word & 0x9f000000) >>> 0 === 0x10000000) filled = ((fits(distance, 21) & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5); // adr
  else if ((word & 0x7c000000) >>> 0 === 0x14000000) filled = field(26, 0); // b
  else if ((word & 0x7e000000) >>> 0 === 0x36000000) filled = field(14, 5); // tbz, tbnz
  else filled = field(19, 5); // cbz, cbnz, b.cond
  view.setUint32(0, (word | filled) >>> 0, true);
  return bytes;
}

function assemble(code: readonly Instruction[], data: Data, request: EntryRequest, patch: Patch): Uint8Array {
  const sizeOf = ({ hex }: Instruction): number => (hex.endsWith("r1") ? hex.length / 2 : hex.endsWith("r4") ? hex.length / 2 + 3 : hex.length / 2);
  const labels = new Map<string, number>([["continue", request.next]]);
  let end = request.address;
  for (const instruction of code) {
    if (instruction.label !== undefined) labels.set(instruction.label, end);
    end += sizeOf(instruction);
  }
  for (const [name, bytes] of Object.entries(data)) {
    labels.set(name, end);
    end += bytes.length;
  }
  const out = new Uint8Array(end - request.address);
  let position = 0;
  for (const { hex, target } of code) {
    const to = target === undefined ? undefined : labels.get(target);
    if (target !== undefined && to === undefined) throw new Error(`entry code: no label ${target}`);
    const bytes = to === undefined ? Uint8Array.fromHex(hex) : patch(hex, request.address + position, to);
    out.set(bytes, position);
    position += bytes.length;
  }
  for (const bytes of Object.values(data)) {
    out.set(bytes, position);
    position += bytes.length;
  }
  return out;
}
