/** The names by which sealroot takes the place of other programs. */

import type { Layout } from "../config/index.ts";

export interface PeerProgram {
  readonly command: string;
  readonly layout?: Layout;
  /** Every argument is the command's own, --help and --version too: what that program does with them is its interface. */
  readonly exact?: boolean;
}

const PEERS: Readonly<Record<string, PeerProgram>> = {
  "composefs-setup-root": { command: "setup-root", layout: "composefs" },
  // what bootc's unit calls: /usr/lib/bootc/initramfs-setup
  "initramfs-setup": { command: "setup-root", layout: "bootc" },
  "ostree-prepare-root": { command: "prepare-root", layout: "composefs" },
  mkcomposefs: { command: "mkcomposefs", exact: true },
  "composefs-info": { command: "composefs-info", exact: true },
  "composefs-dump": { command: "composefs-dump", exact: true },
  "mount.composefs": { command: "mount.composefs", exact: true },
};

/** @param calledAs argv[0], with or without directories */
export function peerProgram(calledAs: string): PeerProgram | undefined {
  const name = calledAs.slice(calledAs.lastIndexOf("/") + 1);
  return Object.hasOwn(PEERS, name) ? PEERS[name] : undefined;
}
