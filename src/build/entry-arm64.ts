/** The entry code for arm64; what it does is told in entry-code.ts. */

import { at, fits, i, imm32, type Instruction } from "./assembly.ts";
import { byteLength, COMPILED_CODE_SPACE, type EntryRequest } from "./entry-request.ts";

/** movz x<register>, #value */
function movz(register: number, value: number): string {
  if (value > 0xffff) throw new Error(`entry code: ${value} does not fit`);
  return imm32(0xd2800000 + value * 32 + register);
}

/** movk x<register>, #value, lsl #16 */
function movkHigh(register: number, value: number): string {
  return imm32(0xf2a00000 + value * 32 + register);
}

// Words are written as the processor reads them; the distance is filled in by the kind of instruction.
export function arm64({ program, withoutProgram, withoutMemory, withoutProc }: EntryRequest): readonly Instruction[] {
  const word = (value: number, target?: string): Instruction => i(imm32(value), target);
  const load32 = (register: number, value: number): readonly Instruction[] => [i(movz(register, value & 0xffff)), i(movkHigh(register, value >>> 16))];
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
    ...load32(1, program.slot), //          mov   x1, #slot
    word(0xf9400021), //                    ldr   x1, [x1]
    ...load32(2, program.address), //       mov   x2, #address
    word(0xeb02003f), //                    cmp   x1, x2
    word(0x54000001, "damaged"), //         b.ne  damaged
    word(0xf9400021), //                    ldr   x1, [x1]
    ...load32(2, program.length), //        mov   x2, #length
    word(0xeb02003f), //                    cmp   x1, x2
    word(0x54000001, "damaged"), //         b.ne  damaged
    i(movz(0, 0)), //                       mov   x0, #0
    ...load32(1, COMPILED_CODE_SPACE), //   mov   x1, #space
    i(movz(2, 7)), //                       mov   x2, #7                  PROT_READ | PROT_WRITE | PROT_EXEC
    i(movz(3, 0x4022)), //                  mov   x3, #0x4022             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    word(0x92800004), //                    mov   x4, #-1
    i(movz(5, 0)), //                       mov   x5, #0
    i(movz(8, 222)), //                     mov   x8, #222                mmap
    word(0xd4000001), //                    svc   #0
    word(0xb7f80000, "refused"), //         tbnz  x0, #63, refused
    i(movz(8, 215)), //                     mov   x8, #215                munmap; x1 holds the size still
    word(0xd4000001), //                    svc   #0
    word(0x92800c60), //                    mov   x0, #-100
    word(0x10000001, "proc"), //            adr   x1, proc
    i(movz(2, 0)), //                       mov   x2, #0                  F_OK
    i(movz(8, 48)), //                      mov   x8, #48                 faccessat
    word(0xd4000001), //                    svc   #0
    word(0xb6f80000, "go"), //              tbz   x0, #63, go
    word(0x10000001, "noproc"), //          adr   x1, noproc
    i(movz(2, byteLength(withoutProc))), // mov   x2, #length
    i(movz(19, withoutProc.exit)), //       mov   x19, #status
    word(0x14000000, "say"), //             b     say
    at("refused", word(0x10000001, "nomemory")), // adr x1, nomemory
    i(movz(2, byteLength(withoutMemory))), // mov x2, #length
    i(movz(19, withoutMemory.exit)), //     mov   x19, #status
    word(0x14000000, "say"), //             b     say
    at("damaged", word(0x10000001, "noprogram")), // adr x1, noprogram
    i(movz(2, byteLength(withoutProgram))), // mov x2, #length
    i(movz(19, withoutProgram.exit)), //    mov   x19, #status
    at("say", i(movz(0, 2))), //            mov   x0, #2
    i(movz(8, 64)), //                      mov   x8, #64                 write
    word(0xd4000001), //                    svc   #0
    word(0xaa1303e0), //                    mov   x0, x19
    i(movz(8, 94)), //                      mov   x8, #94                 exit_group
    word(0xd4000001), //                    svc   #0
    at("go", word(0xaa1503e0)), //          mov   x0, x21
    word(0x14000000, "continue"), //        b     the entry of the file as it was
  ];
}

/** arm64: distances count from the instruction; the field depends on its kind. */
export function patchArm64(hex: string, from: number, to: number): Uint8Array {
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
