/** The entry code for x86-64; what it does is told in entry-code.ts. */

import { at, fits, i, imm32, type Instruction } from "./assembly.ts";
import { byteLength, COMPILED_CODE_SPACE, type EntryRequest } from "./entry-request.ts";

// Distances: "r1" and "r4" stand for a relative distance of that many bytes.
export function x64({ program, withoutProgram, withoutMemory, withoutProc }: EntryRequest): readonly Instruction[] {
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
    i(`b8${imm32(program.slot)}`), //   mov   eax, slot
    i("488b00"), //                 mov   rax, [rax]
    i(`483d${imm32(program.address)}`), // cmp rax, address
    i("75r1", "damaged"), //        jne   damaged
    i("488b00"), //                 mov   rax, [rax]
    i(`483d${imm32(program.length)}`), // cmp rax, length
    i("75r1", "damaged"), //        jne   damaged
    i("31ff"), //                   xor   edi, edi
    i(`be${imm32(COMPILED_CODE_SPACE)}`), // mov esi, space
    i("ba07000000"), //             mov   edx, 7                  PROT_READ | PROT_WRITE | PROT_EXEC
    i("41ba22400000"), //           mov   r10d, 0x4022            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    i("4983c8ff"), //               or    r8, -1
    i("4531c9"), //                 xor   r9d, r9d
    i("b809000000"), //             mov   eax, 9                  mmap
    i("0f05"), //                   syscall
    i("4885c0"), //                 test  rax, rax
    i("78r1", "refused"), //        js    refused
    i("4889c7"), //                 mov   rdi, rax                rsi holds the size still
    i("b80b000000"), //             mov   eax, 11                 munmap
    i("0f05"), //                   syscall
    i("bf9cffffff"), //             mov   edi, -100               AT_FDCWD
    i("488d35r4", "proc"), //       lea   rsi, [rip+proc]
    i("31d2"), //                   xor   edx, edx                F_OK
    i("b80d010000"), //             mov   eax, 269                faccessat
    i("0f05"), //                   syscall
    i("85c0"), //                   test  eax, eax
    i("79r1", "go"), //             jns   go
    i("488d35r4", "noproc"), //     lea   rsi, [rip+noproc]
    i(`ba${imm32(byteLength(withoutProc))}`), // mov edx, length
    i(`bb${imm32(withoutProc.exit)}`), // mov ebx, status
    i("ebr1", "say"), //            jmp   say
    at("refused", i("488d35r4", "nomemory")), // lea rsi, [rip+nomemory]
    i(`ba${imm32(byteLength(withoutMemory))}`), // mov edx, length
    i(`bb${imm32(withoutMemory.exit)}`), // mov ebx, status
    i("ebr1", "say"), //            jmp   say
    at("damaged", i("488d35r4", "noprogram")), // lea rsi, [rip+noprogram]
    i(`ba${imm32(byteLength(withoutProgram))}`), // mov edx, length
    i(`bb${imm32(withoutProgram.exit)}`), // mov ebx, status
    at("say", i("bf02000000")), //  mov   edi, 2
    i("b801000000"), //             mov   eax, 1                  write
    i("0f05"), //                   syscall
    i("89df"), //                   mov   edi, ebx
    i("b8e7000000"), //             mov   eax, 231                exit_group
    i("0f05"), //                   syscall
    at("go", i("4c89e2")), //       mov   rdx, r12
    i("e9r4", "continue"), //       jmp   the entry of the file as it was
  ];
}

/** x86-64: distances count from the end of the instruction, where they always stand. */
export function patchX64(hex: string, from: number, to: number): Uint8Array {
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
