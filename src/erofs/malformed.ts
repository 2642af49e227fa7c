/** What an image breaks a rule with, said with the place in the file. */

import { SealrootError } from "../errors/index.ts";

export function malformed(at: number, reason: string): SealrootError {
  return new SealrootError("SR-E503", { details: [["at byte", String(at)], ["reason", reason]] });
}
