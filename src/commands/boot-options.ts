/** The options that setup-root and plan share: composefs-setup-root's, and the layout. */

import { type BootOptions, DEFAULT_CONFIG, DEFAULT_SYSROOT } from "../boot/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { OptionSpec, ParsedArguments } from "../terminal/index.ts";
import { peerProgram } from "./program-name.ts";

export const BOOT_OPTIONS = {
  sysroot: { kind: "value", value: "DIR", help: `where the physical root is mounted (default ${DEFAULT_SYSROOT})` },
  config: { kind: "value", value: "FILE", help: `the policy (default ${DEFAULT_CONFIG})` },
  cmdline: { kind: "value", value: "TEXT", anyBytes: true, help: "kernel command line, instead of /proc/cmdline" },
  target: { kind: "value", value: "DIR", help: "put the new root there and leave the sysroot alone" },
  "root-fs": { kind: "value", value: "DIR", help: "take this tree instead of an image (for tests)" },
  layout: { kind: "value", value: "NAME", help: "composefs (default) or bootc: where and how /etc, /var and /sysroot are mounted" },
} satisfies Readonly<Record<string, OptionSpec>>;

/** @param calledAs the name the executable was called by */
export function bootOptions(parsed: ParsedArguments, calledAs = "sealroot"): BootOptions {
  const layout = parsed.value("layout") ?? peerProgram(calledAs)?.layout ?? "composefs";
  if (layout !== "composefs" && layout !== "bootc") {
    throw new SealrootError("SR-E100", { summary: `there is no layout "${layout}"`, next: "use --layout composefs or --layout bootc" });
  }
  return {
    sysroot: parsed.value("sysroot") ?? DEFAULT_SYSROOT,
    config: parsed.value("config") ?? DEFAULT_CONFIG,
    cmdline: parsed.value("cmdline"),
    target: parsed.value("target"),
    rootFs: parsed.value("root-fs"),
    layout,
  };
}
