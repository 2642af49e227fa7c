/**
 * The kernel modules in an initramfs: which kernels it has modules for, and whether one of them has a driver, built in or as a
 * file that modprobe will find (modules.builtin, modules.dep: kmod, depmod.d(5)).
 */

import type { Tree } from "./tree.ts";

const DIRECTORIES = ["/usr/lib/modules", "/lib/modules"] as const;
/** What kmod can be built to read. */
const SUFFIX = /\.ko(\.(gz|xz|zst))?$/;

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
/** `-` and `_` are the same letter in the name of a module. */
const moduleName = (path: string): string => (path.split("/").at(-1) ?? "").replace(SUFFIX, "").replaceAll("-", "_");

export type Presence =
  | { readonly kind: "built-in" }
  | { readonly kind: "file"; readonly path: string; readonly missing: readonly string[] }
  | { readonly kind: "absent" };

/** Releases of the kernels that there is a directory of modules for. */
export function kernelReleases(tree: Tree): readonly string[] {
  const releases = DIRECTORIES.flatMap((directory) => tree.list(directory).filter((name) => tree.find(`${directory}/${name}`)?.inode.kind === "directory"));
  return [...new Set(releases)].sort();
}

export class ModuleDirectory {
  readonly #files = new Map<string, string>();
  readonly #builtIn = new Set<string>();
  readonly #dependencies = new Map<string, readonly string[]>();
  readonly #tree: Tree;
  readonly #base: string;

  constructor(tree: Tree, release: string) {
    this.#tree = tree;
    this.#base = DIRECTORIES.map((directory) => `${directory}/${release}`).find((path) => tree.find(path) !== undefined) ?? `/usr/lib/modules/${release}`;
    this.#collect(this.#base, 0);
    for (const line of this.#lines("modules.builtin")) this.#builtIn.add(moduleName(line.trim()));
    for (const line of this.#lines("modules.dep")) {
      const colon = line.indexOf(":");
      if (colon > 0) this.#dependencies.set(moduleName(line.slice(0, colon)), line.slice(colon + 1).split(" ").filter((path) => path !== ""));
    }
  }

  #lines(name: string): readonly string[] {
    const data = this.#tree.file(`${this.#base}/${name}`)?.inode.data;
    return data === undefined ? [] : latin1(data).split("\n");
  }

  #collect(directory: string, depth: number): void {
    // modules lie about six directories deep; a loop of links cannot lead further than this
    if (depth > 12) return;
    for (const name of this.#tree.list(directory)) {
      const path = `${directory}/${name}`;
      const link = this.#tree.findLink(path)?.inode;
      if (link?.kind === "directory") this.#collect(path, depth + 1);
      else if (SUFFIX.test(name) && this.#tree.file(path) !== undefined) this.#files.set(moduleName(name), path);
    }
  }

  /** Whether depmod's index is there, without which modprobe finds nothing. */
  get isIndexed(): boolean {
    return ["modules.dep.bin", "modules.dep"].some((name) => this.#tree.file(`${this.#base}/${name}`) !== undefined);
  }

  /** Whether there is a list of what the kernel has built in. */
  get knowsBuiltIn(): boolean {
    return this.#builtIn.size > 0;
  }

  find(name: string): Presence {
    if (this.#builtIn.has(name)) return { kind: "built-in" };
    const path = this.#files.get(name);
    if (path === undefined) return { kind: "absent" };
    const missing = (this.#dependencies.get(name) ?? []).map(moduleName).filter((needed) => !this.#files.has(needed) && !this.#builtIn.has(needed));
    return { kind: "file", path, missing };
  }
}

/** A release as numbers, for comparing: [6, 12]. */
export function versionOf(release: string): readonly [major: number, minor: number] | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

export const isBefore = (release: string, major: number, minor: number): boolean => {
  const version = versionOf(release);
  return version !== undefined && (version[0] < major || (version[0] === major && version[1] < minor));
};
