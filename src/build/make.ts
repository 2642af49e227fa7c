/** From sources to a judged executable: compile, change, judge. Used by build.ts and by the tests of the runtime. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE, type ErrorCode } from "../errors/index.ts";
import { ALLOWED_ENVIRONMENT } from "./environment.ts";
import type { LastWords } from "./entry-request.ts";
import { judge } from "./expectations.ts";
import { installEntryCode } from "./harden.ts";
import { removeLanguages } from "./icu-data.ts";
import { EXEC_ARGUMENTS, type Target } from "./targets.ts";

const OPTIONS = [
  "--compile",
  "--minify",
  "--bytecode",
  "--format=esm",
  "--splitting",
  "--sourcemap=none",
  "--reject-unresolved",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  `--compile-exec-argv=${EXEC_ARGUMENTS}`,
];

export interface Compilation {
  readonly target: Target;
  /** File with the target's runtime: see runtimeFile. */
  readonly runtime: string;
  /** Directory that the sources are in; entry points are relative to it. */
  readonly root: string;
  /** The program, and every file that runs in a Worker. */
  readonly entryPoints: readonly string[];
  /** An empty directory of our own. */
  readonly workspace: string;
}

/** What the entry code prints before it gives up, one line: in the catalogue's words. */
function lastWords(code: ErrorCode): LastWords {
  const { title, next, exit } = CATALOGUE[code];
  return { message: `sealroot: ${title}: ${next}  [${code}]\n`, exit };
}

/** The compiler's output, untouched. The file is called as the program, whatever the target: its name is part of it. */
export function compile({ target, runtime, root, entryPoints, workspace }: Compilation): Buffer {
  const path = join(workspace, "sealroot");
  const args = ["build", ...entryPoints, ...OPTIONS, `--target=${target.compilerName}`, `--compile-executable-path=${runtime}`, `--outfile=${path}`];
  // An environment of our own, so that the builder's cannot get into the file.
  const run = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8", env: { PATH: "/usr/bin:/bin", HOME: workspace, TMPDIR: workspace } });
  if (run.status !== 0) throw new Error(`the compiler failed:\n${run.stdout}${run.stderr}`);
  return readFileSync(path);
}

/** Changes `bytes` in place. @throws Error with every complaint when the result is not what it must be */
export function finish(bytes: Buffer, { target, root, workspace }: Compilation): void {
  const entry = installEntryCode(bytes, { allowed: ALLOWED_ENVIRONMENT, withoutProgram: lastWords("SR-E901"), withoutMemory: lastWords("SR-E109"), withoutProc: lastWords("SR-E104") });
  removeLanguages(bytes);
  const complaints = judge(bytes, { expectation: target.expectation, entryCode: entry.code, forbidden: [root, workspace] });
  if (complaints.length > 0) throw new Error(`the file is not what it must be:\n${complaints.map((text) => `  ${text}`).join("\n")}`);
}
