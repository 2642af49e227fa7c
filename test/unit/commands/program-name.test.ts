/** By which names sealroot is another program. */

import { expect, test } from "bun:test";
import { bootOptions } from "../../../src/commands/boot-options.ts";
import { peerProgram } from "../../../src/commands/program-name.ts";
import { parseArguments } from "../../../src/terminal/index.ts";
import { BOOT_OPTIONS } from "../../../src/commands/boot-options.ts";

const HELP = { name: "setup-root", summary: "", options: BOOT_OPTIONS, examples: [] } as const;
const layout = (calledAs: string | undefined, ...argv: readonly string[]): string => bootOptions(parseArguments(HELP, argv), calledAs).layout;

test("names, with and without directories", () => {
  expect(peerProgram("composefs-setup-root")).toEqual({ command: "setup-root", layout: "composefs" });
  expect(peerProgram("/usr/lib/composefs/composefs-setup-root")?.command).toBe("setup-root");
  expect(peerProgram("/usr/lib/bootc/initramfs-setup")).toEqual({ command: "setup-root", layout: "bootc" });
});

test("nothing else, JavaScript's own names included", () => {
  for (const name of ["", "/", "sealroot", "composefs-setup-root/", "xcomposefs-setup-root", "composefs-setup-root2", "constructor", "__proto__", "toString", "a/hasOwnProperty"]) expect(peerProgram(name)).toBeUndefined();
});

test("the layout: by option, else by name, else composefs", () => {
  expect(layout("sealroot")).toBe("composefs");
  expect(layout(undefined)).toBe("composefs");
  expect(layout("/usr/lib/bootc/initramfs-setup")).toBe("bootc");
  expect(layout("initramfs-setup", "--layout", "composefs")).toBe("composefs");
  expect(layout("composefs-setup-root", "--layout=bootc")).toBe("bootc");
  expect(() => layout("sealroot", "--layout", "ostree")).toThrow('there is no layout "ostree"');
});

test("defaults are the peer's", () => {
  expect(bootOptions(parseArguments(HELP, []))).toMatchObject({ sysroot: "/sysroot", config: "/usr/lib/composefs/setup-root-conf.toml", cmdline: undefined, target: undefined, rootFs: undefined });
});
