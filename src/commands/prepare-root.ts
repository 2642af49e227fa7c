/** `sealroot prepare-root`: what OSTree's ostree-prepare-root does, for deployments with composefs; also called by that name. */

import { DEFAULT_CONFIG, setupRoot } from "../boot/index.ts";
import { type CommandHelp, parseArguments } from "../terminal/index.ts";
import { tellSetup } from "./setup-root.ts";

export const help: CommandHelp = {
  name: "prepare-root",
  operands: "SYSROOT [KERNEL_CMDLINE]",
  operandCount: [1, 2],
  anyBytesInOperands: true,
  summary: "Mount the OSTree deployment that ostree= on the kernel command line names, in the place of SYSROOT.",
  description:
    "For deployments with composefs, as prepare-root.conf and the policy in the initramfs ask for it; setup-root does the same\n" +
    "when no argument names a composefs image. A plain deployment is left to OSTree's own ostree-prepare-root (SR-E243).",
  options: {
    config: { kind: "value", value: "FILE", help: `the policy (default ${DEFAULT_CONFIG})` },
    json: { kind: "flag", help: "print the report as JSON" },
  },
  examples: [
    ["sealroot prepare-root /sysroot", "with the running kernel's command line"],
    ['ostree-prepare-root /sysroot "ostree=/ostree/boot.1/debian/3d0e…/0"', "by the name of the program that it takes the place of"],
  ],
};

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const [sysroot = "", cmdline] = parsed.operands;
  const done = setupRoot({ sysroot, config: parsed.value("config") ?? DEFAULT_CONFIG, cmdline, target: undefined, rootFs: undefined, layout: "composefs", deployment: true });
  return tellSetup(done, parsed.flag("json"));
}
