/**
 * The commands: one row each. Their code is loaded only when called, so that the boot pays for nothing else; the boot's own command
 * is part of the entry, since a chunk of its own costs half a millisecond to find and load.
 */

import type { CommandHelp } from "../terminal/index.ts";
import * as setupRoot from "./setup-root.ts";

export interface CommandModule {
  readonly help: CommandHelp;
  /** @returns the exit status; failures are thrown as SealrootError */
  run(argv: readonly string[], calledAs?: string): number | Promise<number>;
}

export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  load(): CommandModule | Promise<CommandModule>;
}

export const COMMANDS: readonly CommandRow[] = [
  { name: "setup-root", summary: "mount the image that the kernel command line names as the root", load: () => setupRoot },
  { name: "prepare-root", summary: "mount the OSTree deployment that ostree= names as the root", load: () => import("./prepare-root.ts") },
  { name: "plan", summary: "print what setup-root would do, without mounting", load: () => import("./plan.ts") },
  { name: "status", summary: "what is booted and how it was verified", load: () => import("./status.ts") },
  { name: "check-initramfs", summary: "say whether an initramfs or a unified kernel image can boot a sealed root", load: () => import("./check-initramfs.ts") },
  { name: "verify", summary: "say whether the boot of a disk would be allowed, and who signed it", load: () => import("./verify.ts") },
  { name: "keygen", summary: "make an Ed25519 key pair", load: () => import("./keygen.ts") },
  { name: "commit", summary: "write a commit that names an image", load: () => import("./commit.ts") },
  { name: "sign", summary: "sign a commit or an image digest", load: () => import("./sign.ts") },
  { name: "mkcomposefs", summary: "make an image, as the C tool of that name does", load: () => import("./mkcomposefs.ts") },
  { name: "composefs-info", summary: "show what is in images, as the C tool of that name does", load: () => import("./composefs-info.ts") },
  { name: "composefs-dump", summary: "read an image and write it again, as the C tool of that name does", load: () => import("./composefs-dump.ts") },
  { name: "mount.composefs", summary: "mount an image, as the C tool of that name does", load: () => import("./mount-composefs.ts") },
  { name: "repo init", summary: "make a composefs repository", load: () => import("./repo-init.ts") },
  { name: "image create", summary: "make an image of a directory, in a repository", load: () => import("./image-create.ts") },
  { name: "image ls", summary: "list the images of a repository, and what needs them", load: () => import("./image-ls.ts") },
  { name: "image inspect", summary: "say what an image is, and which objects it needs", load: () => import("./image-inspect.ts") },
  { name: "image diff", summary: "say where two images differ", load: () => import("./image-diff.ts") },
  { name: "image import", summary: "take an image file into a repository", load: () => import("./image-import.ts") },
  { name: "image mount", summary: "mount an image read-only, with its objects", load: () => import("./image-mount.ts") },
  { name: "karg", summary: "print the kernel argument that boots an image", load: () => import("./karg.ts") },
  { name: "fsck", summary: "check a repository: every object, image and link, and what a fault hurts", load: () => import("./fsck.ts") },
  { name: "gc", summary: "remove from a repository what nothing needs any more", load: () => import("./gc.ts") },
  { name: "explain", summary: "list the error codes, or explain one", load: () => import("./explain.ts") },
];
