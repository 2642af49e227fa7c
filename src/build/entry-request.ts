/** What the entry code is made for: see entry-code.ts. */

/**
 * Address space that the runtime takes for compiled code (1 GiB) and its heap before it can do without,
 * in bytes; found by lowering ulimit -v. Without it, bun:ffi does not work.
 */
export const COMPILED_CODE_SPACE = 0x9000_0000;

export interface EntryRequest {
  /** ELF machine number: EM_X86_64 or EM_AARCH64. */
  readonly machine: number;
  /** Virtual address at which the code will stand; a multiple of 16. */
  readonly address: number;
  /** Where the file began before. */
  readonly next: number;
  /** Names of the variables that stay, without "=". */
  readonly allowed: readonly string[];
  /** Where the runtime finds the address of the program, that address, and the length that stands there; below 2^31. */
  readonly program: { readonly slot: number; readonly address: number; readonly length: number };
  readonly withoutProgram: LastWords;
  readonly withoutMemory: LastWords;
  readonly withoutProc: LastWords;
}

/** One line on standard error, newline included, and the exit status that goes with it. */
export interface LastWords {
  readonly message: string;
  readonly exit: number;
}

export function byteLength({ message }: LastWords): number {
  return new TextEncoder().encode(message).length;
}
