/**
 * `bun --preload` this: the program's one way into the kernel is put behind the rules in rules.ts, so that a system call can be
 * made to fail, or a kernel be made to look older, while everything else happens on the real one.
 */

import { plugin } from "bun";
import { readFileSync } from "node:fs";
import { join } from "node:path";

// threads that the program starts make their calls under the same rules
globalThis.Worker = class extends Worker {
  constructor(url: string | URL, options: WorkerOptions = {}) {
    super(url, { ...options, preload: [import.meta.path] });
  }
};

const RULES = join(import.meta.dir, "rules.ts");

plugin({
  name: "faults",
  setup(build) {
    build.onLoad({ filter: /\/src\/linux\/syscall\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      const changed = source.replace("export function rawSyscall(", "function realSyscall(");
      if (changed === source) throw new Error(`${path} has no rawSyscall any more: the fault injection must follow it`);
      const wrapper = `import { underRules } from ${JSON.stringify(RULES)};\nexport const rawSyscall = underRules(realSyscall);\n`;
      return { contents: `${changed}\n${wrapper}`, loader: "ts" };
    });
  },
});
