/** `sealroot plan`: what setup-root would do, without mounting. */

import { decide, type Decision, planRows, remarks, summarise } from "../boot/index.ts";
import { SealrootError } from "../errors/index.ts";
import { asSealrootError, type CommandHelp, errorRecord, fewLines, parseArguments, printable, renderError } from "../terminal/index.ts";
import { errorStyle, print, printError, printJson } from "./output.ts";
import { BOOT_OPTIONS, bootOptions } from "./boot-options.ts";
import { computeDigest } from "./image-digest.ts";
import { levelText, signedRows } from "./verdict-text.ts";

export const help: CommandHelp = {
  name: "plan",
  summary: "Print what setup-root would do with this sysroot, configuration and command line, without mounting anything.",
  description: "The exit status is 0 if the boot would be allowed, else that of the refusal.",
  options: { ...BOOT_OPTIONS, json: { kind: "flag", help: "print JSON" } },
  examples: [
    ["sealroot plan", "would this machine's own command line boot again?"],
    ["sealroot plan --sysroot /mnt --config setup-root-conf.toml --cmdline composefs.digest=v1-sha256-12:3d0e… --json", "judge a disk from elsewhere"],
  ],
};

function text(decision: Decision): string {
  const { plan, reasons, evidence } = decision;
  const facts: (readonly [string, string])[] = [
    ...fewLines(remarks(decision)).map((remark) => ["remark", remark] as const),
    ["argument", plan.argument?.text ?? plan.deployment?.argument ?? "none (--root-fs)"],
    ["level", levelText(plan)],
    ...signedRows(plan.signed),
    ...(evidence?.places ?? []).map(({ path, found }) => ["looked at", `${path}  (${found})`] as const),
    ...reasons.map((reason) => ["because", reason] as const),
    ["state", plan.state ?? "not needed"],
    ["target", `${plan.target}${plan.replacesSysroot ? " (replaced)" : ""}`],
  ];
  const width = Math.max(...facts.map(([label]) => label.length));
  return [
    printable(summarise(decision)),
    ...facts.map(([label, value]) => `  ${label.padEnd(width)}  ${printable(value)}`),
    "mounts",
    ...planRows(plan).map((row) => `  ${printable(row)}`),
    "",
  ].join("\n");
}

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const options = { ...bootOptions(parsed), computeDigest };
  try {
    using decision = decide(options);
    const { plan, inputs, passedOver, reasons, measurement, evidence } = decision;
    if (parsed.flag("json")) {
      printJson({ allowed: true, plan, measured: measurement, reasons, lookedAt: evidence?.places, unusable: evidence?.problems, skipped: inputs.skipped, passedOver, warnings: inputs.warnings });
    } else print(text(decision));
    return 0;
  } catch (thrown) {
    const error = asSealrootError(thrown);
    if (parsed.flag("json") && error instanceof SealrootError) printJson({ allowed: false, error: errorRecord(error) });
    else printError(renderError(error, "this boot would be refused", errorStyle()));
    return error.exit;
  }
}
