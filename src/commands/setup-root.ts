/** `sealroot setup-root`: mounts the image that the kernel command line names as the root. Also composefs-setup-root. */

import { setupRoot, type SetupRootResult } from "../boot/index.ts";
import { asSealrootError, type CommandHelp, errorRecord, fewLines, parseArguments, printable } from "../terminal/index.ts";
import { errorStyle, print, printError, printJson } from "./output.ts";
import { BOOT_OPTIONS, bootOptions } from "./boot-options.ts";

export const help: CommandHelp = {
  name: "setup-root",
  operands: "[COMMAND]",
  // composefs-setup-root takes a command "for testing" and ignores it
  operandCount: [0, Number.MAX_SAFE_INTEGER],
  anyBytesInOperands: true,
  summary: "Mount the composefs image that the kernel command line names, in the place of the sysroot.",
  description:
    "Runs in the initramfs, between sysroot.mount and switch-root. The report is in /run/sealroot/boot.json.\n" +
    "Where no argument names an image and ostree= names a deployment, that is mounted, if the policy or prepare-root.conf asks for composefs.",
  options: {
    ...BOOT_OPTIONS,
    "if-named": { kind: "flag", help: "do nothing when no argument names an image and the policy does not ask for one" },
    json: { kind: "flag", help: "print the report as JSON" },
  },
  examples: [
    ["sealroot setup-root", "what the systemd unit runs"],
    ["sealroot setup-root --sysroot /mnt --target /run/try --cmdline composefs.digest=v1-sha256-12:3d0e…", "try an image beside a running system"],
  ],
};

/** A refusal is an error block, and with --json also a record on standard output. */
function reported<T>(json: boolean, act: () => T): T {
  try {
    return act();
  } catch (thrown) {
    if (json) printJson({ ok: false, error: errorRecord(asSealrootError(thrown)) });
    throw thrown;
  }
}

export function run(argv: readonly string[], calledAs?: string): number {
  const parsed = parseArguments(help, argv);
  const options = bootOptions(parsed, calledAs);
  const json = parsed.flag("json");
  return tellSetup(reported(json, () => setupRoot(options, parsed.flag("if-named"))), json);
}

/** What was done, on the console. @param done undefined when there was nothing to do @returns the exit status */
export function tellSetup(done: SetupRootResult | undefined, json: boolean): number {
  if (done === undefined) {
    print("sealroot: no argument names a composefs image, and the policy asks for none\n");
    return 0;
  }
  const { record, summary, remarks, verified } = done;
  if (json) {
    printJson(record);
    return 0;
  }
  for (const remark of fewLines(remarks)) printError(`sealroot: ${printable(remark)}\n`);
  if (verified) print(`${summary}\n`);
  else printError(`${errorStyle().yellow(printable(summary))}\n`);
  return 0;
}
