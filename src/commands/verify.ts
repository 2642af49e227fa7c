/** `sealroot verify`: the decision of a boot, made ahead of it: would this disk be booted with this policy and command line? */

import { type BootOptions, decide, type Decision, type Inputs, leftTo, type LeftTo, readInputs, remarks } from "../boot/index.ts";
import { formatTime } from "../config/index.ts";
import { type ErrorCode, SealrootError } from "../errors/index.ts";
import { asSealrootError, type CommandHelp, errorRecord, fewLines, parseArguments, printable, renderError } from "../terminal/index.ts";
import { BOOT_OPTIONS, bootOptions } from "./boot-options.ts";
import { computeDigest } from "./image-digest.ts";
import { openInitramfsPolicy } from "./initramfs-policy.ts";
import { errorStyle, outputStyle, print, printError, printJson } from "./output.ts";
import { levelText, signedRows } from "./verdict-text.ts";

const { sysroot, config, cmdline, layout } = BOOT_OPTIONS;

export const help: CommandHelp = {
  name: "verify",
  summary: "Say whether a boot would be allowed: the same decision as in the boot, ahead of it.",
  description:
    "Nothing is mounted. The policy and its keys are those of this system, or with --initramfs those inside that file; the command line\n" +
    "is --cmdline, else the one inside a unified kernel image, else /proc/cmdline. The floor that the dracut module writes for\n" +
    "not-before = \"build\", setup-root-not-before, is looked for beside --config FILE. Where the file system or the kernel has no fs-verity,\n" +
    "as on a build host, the image's digest is computed by reading it; that is said, and all the rest is judged.\n" +
    "The exit status is 0 if sealroot would allow the boot, else that of the refusal. Where sealroot would leave the boot to another\n" +
    "program, since neither an argument nor the policy asks for a sealed image, it is 76 (SR-E615): nothing was verified then.",
  options: {
    sysroot,
    initramfs: { kind: "value", value: "FILE", help: "take policy and keys from this initramfs or unified kernel image" },
    config: { ...config, help: `${config.help}; with --initramfs a path inside it` },
    cmdline,
    layout,
    "assume-verity": { kind: "flag", help: "compute the digest also where the file system has fs-verity and only the image lacks it" },
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot verify --sysroot / --initramfs /boot/initrd.img-6.12.107", "before the reboot"],
    ["sealroot verify --sysroot build/root --initramfs build/system.efi --json", "a gate in a build"],
  ],
};

/** Where the policy and the command line came from, for people and programs. */
interface Sources {
  readonly policy: string;
  readonly commandLine: string;
  readonly remark: string | undefined;
}

function text(decision: Decision, sources: Sources): string {
  const { plan, reasons, measurement, evidence } = decision;
  const style = outputStyle();
  const computed = measurement?.kind === "computed";
  const facts: (readonly [string, string])[] = [
    ...fewLines([...remarks(decision), ...(sources.remark === undefined ? [] : [sources.remark])]).map((remark) => ["remark", remark] as const),
    ...policyRows(decision.inputs, sources),
    ["command line", sources.commandLine],
    ["argument", plan.argument?.text ?? plan.deployment?.argument ?? "none"],
    ...floorRows(decision.inputs),
    ...(computed ? [["computed", `${measurement.algorithm}:${measurement.digest}  (by reading the image: there is no fs-verity here)`] as const] : []),
    ["level", levelText(plan, computed)],
    ...signedRows(plan.signed),
    ...(evidence?.places ?? []).map(({ path, found }) => ["looked at", `${path}  (${found})`] as const),
    ...reasons.map((reason) => ["because", reason] as const),
  ];
  const width = Math.max(...facts.map(([label]) => label.length));
  const head = plan.enforce ? style.green("this boot would be allowed") : style.yellow("this boot would be allowed, NOT VERIFIED");
  return [head, ...facts.map(([label, value]) => `  ${style.dim(label.padEnd(width))}  ${printable(value)}`), ""].join("\n");
}

/** The files of the policy, and what they say. */
function policyRows({ table, configFound, policy, ostree }: Inputs, { policy: path }: Sources): (readonly [string, string])[] {
  const missing = policy.trust === undefined ? "not there: composefs-setup-root's rules" : "not there";
  const said = table === undefined ? "no [trust] table" : `[trust] level = "${table.level}"`;
  const asked = ostree.files.length > 0 || ostree.wish !== "no";
  return [
    ["policy", `${path}  (${configFound ? said : missing})`],
    ...(asked ? [["OSTree's", `${ostree.files.length === 0 ? "there is no prepare-root.conf" : ostree.files.join(", ")}  (enabled is ${ostree.wish}, by ${ostree.wishSource ?? "default"})`] as const] : []),
  ];
}

/** Below what time nothing is accepted. */
function floorRows({ policy: { trust } }: Inputs): (readonly [string, string])[] {
  if (trust?.level !== "signed") return [];
  return [["floor", trust.notBefore === undefined ? "none: a commit of any age is accepted" : `${formatTime(trust.notBefore)}  (${trust.notBeforeSource ?? "not-before"})`]];
}

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(help, argv);
  const json = parsed.flag("json");
  try {
    const file = parsed.value("initramfs");
    const initramfs = file === undefined ? undefined : await openInitramfsPolicy(file);
    const given = bootOptions(parsed);
    const options: BootOptions = {
      ...given,
      cmdline: given.cmdline ?? initramfs?.commandLine,
      policyFiles: initramfs?.files,
      computeDigest: compute,
      trustComputed: parsed.flag("assume-verity") ? "always" : "unsupported",
    };
    const sources: Sources = {
      policy: file === undefined ? options.config : `${options.config} in ${file}`,
      commandLine: given.cmdline !== undefined ? "--cmdline" : options.cmdline === undefined ? "/proc/cmdline" : `in ${file ?? ""}`,
      remark: initramfs?.remark,
    };
    const inputs = readInputs(options);
    if (parsed.value("config") !== undefined && !inputs.configFound) {
      throw new SealrootError("SR-E101", { details: [["file", sources.policy], ["found", "there is no such file"]], next: "give the policy of the initramfs that will boot: --config FILE, or --initramfs FILE" });
    }
    const other = leftTo(options, inputs);
    if (other !== undefined) return tellLeft(other, inputs, sources, json);
    using decision = decide(options, inputs);
    if (json) printJson(record(decision, sources));
    else print(text(decision, sources));
    return 0;
  } catch (thrown) {
    const error = asSealrootError(thrown);
    if (json) printJson({ allowed: false, leftTo: null, error: errorRecord(error) });
    else printError(renderError(error, NOT_JUDGED.includes(error.code) ? undefined : "this boot would be refused", errorStyle()));
    return error.exit;
  }
}

/** What keeps from judging, where the boot itself might go well. */
const NOT_JUDGED: readonly ErrorCode[] = ["SR-E100", "SR-E601", "SR-E602", "SR-E603"];

/** A file that nobody waits for: the boot, which asks the kernel, refuses it for what is in it. */
const compute: NonNullable<BootOptions["computeDigest"]> = (image, algorithm) => {
  const digest = computeDigest(image, algorithm);
  if (digest !== undefined) return digest;
  throw new SealrootError("SR-E213", { details: [["image", image.label], ["found", "a file that cannot be read as an image, or is larger than any (1 GiB)"]] });
};

/** The boot goes on without sealroot: neither allowed nor refused by it. */
function tellLeft(other: LeftTo, { ostree, table, configFound, warnings }: Inputs, sources: Sources, json: boolean): number {
  const goesOn = other === "ordinary-root" ? "nobody: the root file system is booted as it is" : `ostree-prepare-root, with ${ostree.argument ?? ""}`;
  const level = table === undefined ? "no [trust] table" : `level = "${table.level}"`;
  const error = new SealrootError("SR-E615", {
    summary: other === "ordinary-root" ? "this boot would go on without sealroot" : "this boot would be left to ostree-prepare-root",
    details: [
      ["left to", goesOn],
      ["policy", `${sources.policy}  (${configFound ? level : "not there"})`],
      ["OSTree's", ostree.files.length === 0 ? "there is no prepare-root.conf" : `${ostree.files.join(", ")}  (enabled is ${ostree.wish})`],
      ["command line", sources.commandLine],
      ...(sources.remark === undefined ? [] : [["remark", sources.remark] as const]),
    ],
  });
  if (json) printJson({ allowed: false, leftTo: other, error: errorRecord(error), sources, configFound, warnings });
  else printError(renderError(error, undefined, errorStyle()));
  return error.exit;
}

function record({ plan, inputs, passedOver, reasons, measurement, evidence }: Decision, sources: Sources): Record<string, unknown> {
  return {
    allowed: true,
    leftTo: null,
    level: plan.level,
    enforce: plan.enforce,
    argument: plan.argument?.text ?? plan.deployment?.argument ?? null,
    digest: plan.argument?.digest ?? null,
    measured: measurement ?? null,
    /** The digest is this program's own: the machine that boots has to have it by fs-verity. */
    computed: measurement?.kind === "computed",
    signed: plan.signed ?? null,
    lookedAt: evidence?.places ?? [],
    unusable: evidence?.problems ?? [],
    reasons,
    sources,
    configFound: inputs.configFound,
    /** What all together ask for. */
    policy: policyRecord(inputs),
    skipped: inputs.skipped,
    passedOver: passedOver.map(({ argument, reason }) => ({ argument: argument.text, reason })),
    warnings: inputs.warnings,
  };
}

function policyRecord({ policy: { trust }, ostree: { files, wish } }: Inputs): Record<string, unknown> {
  return {
    level: trust?.level ?? null,
    askedBy: trust?.source ?? null,
    notBefore: trust?.notBefore ?? null,
    notBeforeFrom: trust?.notBeforeSource ?? null,
    ostree: { files, enabled: wish },
  };
}
