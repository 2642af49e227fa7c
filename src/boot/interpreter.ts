/** The interpreter that a program asks for: the dynamic linker of an ELF file, or what the first line of a script names. Pure and bounded. */

const PT_INTERP = 3;
const LONGEST_PATH = 4096;

/** What the kernel looks at of a script (BINPRM_BUF_SIZE). */
const SCRIPT_HEAD = 256;

/** @param head the first bytes of the file @returns undefined where nothing interprets it, or that does not stand in `head` */
export function interpreterOf(head: Uint8Array): string | undefined {
  return head[0] === 0x23 && head[1] === 0x21 ? scriptInterpreter(head) : elfInterpreter(head);
}

/** `#!` and a path, blanks before and after it allowed (fs/binfmt_script.c). */
function scriptInterpreter(head: Uint8Array): string | undefined {
  const [line = ""] = new TextDecoder().decode(head.subarray(2, SCRIPT_HEAD)).split("\n", 1);
  return /^[ \t]*([^ \t\0]+)/.exec(line)?.[1];
}

/** PT_INTERP (System V ABI, 64- and 32-bit little-endian). */
function elfInterpreter(head: Uint8Array): string | undefined {
  if (head.byteLength < 64 || head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46 || head[5] !== 1) return undefined;
  const wide = head[4] === 2;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const table = wide ? Number(view.getBigUint64(32, true)) : view.getUint32(28, true);
  const size = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    if (size < (wide ? 56 : 32) || at + size > head.byteLength) return undefined;
    if (view.getUint32(at, true) !== PT_INTERP) continue;
    const offset = wide ? Number(view.getBigUint64(at + 8, true)) : view.getUint32(at + 4, true);
    const length = wide ? Number(view.getBigUint64(at + 32, true)) : view.getUint32(at + 16, true);
    if (length < 2 || length > LONGEST_PATH || offset + length > head.byteLength) return undefined;
    const text = head.subarray(offset, offset + length - 1);
    return text.includes(0) ? undefined : new TextDecoder().decode(text);
  }
  return undefined;
}
