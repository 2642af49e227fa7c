/**
 * Names of what is not finished yet, as composefs-rs makes them: objects in `objects/`, where its garbage collector does not look, and
 * links in the repository's own directory. gc and fsck --repair remove what an interrupted run has left.
 */

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

export function temporaryName(kind: "tmp-object" | "symlink"): string {
  return `.${kind}-${Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => LETTERS[byte % LETTERS.length]).join("")}`;
}
