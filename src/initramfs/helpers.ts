/** The units that mount a composefs root in an initramfs, ours and the peers', and which of them an initramfs has. */

import { elfMachine } from "./elf.ts";
import type { Found, Tree } from "./tree.ts";
import { programOf, readUnit, startedBy, type Unit } from "./unit-file.ts";

export const SEALROOT_UNIT = "sealroot-setup-root.service";
export const SEALROOT_PROGRAM = "/usr/bin/sealroot";

const UNITS = [
  { name: SEALROOT_UNIT, peer: "sealroot" },
  { name: "composefs-setup-root.service", peer: "composefs-setup-root" },
  { name: "bootc-root-setup.service", peer: "bootc" },
  { name: "ostree-prepare-root.service", peer: "ostree-prepare-root" },
] as const;

/** Names of programs whose whole content is wanted, because it is looked into. */
export const PROGRAM_NAMES: ReadonlySet<string> = new Set(["sealroot", "composefs-setup-root", "initramfs-setup", "ostree-prepare-root"]);

/** A text that every sealroot has in it, and no other program: the code of this very command's failure. */
const MARK = "SR-E610";

export interface Helper {
  /** Who it is, by its content: a peer's unit may run sealroot under the peer's name. */
  readonly identity: string;
  readonly unit: Unit;
  /** The program as the unit names it. */
  readonly program: string | undefined;
  readonly file: Found | undefined;
  readonly links: readonly string[];
}

export function isSealroot(file: Found | undefined): boolean {
  const data = file?.inode.data;
  if (data === undefined || elfMachine(data) === undefined) return false;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).includes(MARK);
}

/** The helpers in an initramfs, each unit once, even where one has two names. */
export function findHelpers(tree: Tree): readonly Helper[] {
  const helpers: Helper[] = [];
  for (const { name, peer } of UNITS) {
    const unit = readUnit(tree, name);
    if (unit === undefined) continue;
    const links = startedBy(tree, name);
    const same = helpers.findIndex((helper) => helper.unit.path === unit.path);
    if (same >= 0) {
      const known = helpers[same];
      if (known !== undefined) helpers[same] = { ...known, links: [...known.links, ...links] };
      continue;
    }
    const command = unit.values.get("Service.ExecStart")?.at(-1);
    const program = command === undefined ? undefined : programOf(command);
    const path = program === undefined || program.startsWith("/") ? program : `/usr/bin/${program}`;
    const file = path === undefined ? undefined : tree.file(path);
    const identity = peer === "sealroot" || isSealroot(file) ? "sealroot" : peer;
    helpers.push({ identity, unit, program: path, file, links });
  }
  return helpers;
}
