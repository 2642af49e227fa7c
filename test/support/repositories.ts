/** Repositories that composefs-rs has written (test/data/repository), each test with a copy of its own, and the program run on them. */

import { existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fsverityDigest } from "../../src/fsverity/index.ts";
import { projectTop } from "../vm/lab/cache.ts";
import { program } from "./program.ts";
import { TemporaryDirectory } from "./temporary.ts";

export const KINDS = ["sha256-v1", "sha256-v2", "sha512-v1", "sha512-v2"] as const;
export type RepositoryKind = (typeof KINDS)[number];

export interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A physical root with `composefs/` in it. */
export class TestRepository implements Disposable {
  readonly #temporary = new TemporaryDirectory();
  readonly top: string;
  readonly path: string;
  readonly algorithm: "sha256" | "sha512";

  /** @param archive in test/data/repository, where it is not the usual one of this kind */
  constructor(kind: RepositoryKind, archive = `cfsctl-${kind}`) {
    this.top = join(this.#temporary.path, "root");
    this.path = join(this.top, "composefs");
    this.algorithm = kind.startsWith("sha256") ? "sha256" : "sha512";
    mkdirSync(this.path, { recursive: true });
    const unpacked = Bun.spawnSync(["tar", "-xzf", join(projectTop, `test/data/repository/${archive}.tar.gz`), "--strip-components=1", "-C", this.path]);
    if (unpacked.exitCode !== 0) throw new Error(unpacked.stderr.toString());
  }

  [Symbol.dispose](): void {
    this.#temporary[Symbol.dispose]();
  }

  /** The digest of the image that a reference keeps, and of the one that nothing keeps. */
  get kept(): string {
    const target = readlinkSync(join(this.path, "images/refs/kept"));
    return target.slice(target.lastIndexOf("/") + 1);
  }
  get unnamed(): string {
    const [name] = readdirSync(join(this.path, "images")).filter((entry) => entry !== "refs" && entry !== this.kept);
    if (name === undefined) throw new Error("the repository has no second image");
    return name;
  }

  at(path: string): string {
    return join(this.path, path);
  }

  objectPath(digest: string): string {
    return this.at(`objects/${digest.slice(0, 2)}/${digest.slice(2)}`);
  }

  /** Adds an object. @returns its digest */
  put(bytes: Uint8Array): string {
    const digest = fsverityDigest(bytes, this.algorithm).toHex();
    mkdirSync(this.at(`objects/${digest.slice(0, 2)}`), { recursive: true });
    writeFileSync(this.objectPath(digest), bytes);
    return digest;
  }

  link(path: string, digest: string): void {
    mkdirSync(join(this.at(path), ".."), { recursive: true });
    symlinkSync(`../objects/${digest.slice(0, 2)}/${digest.slice(2)}`, this.at(path));
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(join(this.top, path, ".."), { recursive: true });
    writeFileSync(join(this.top, path), content);
  }

  /** Everything in the repository: paths, with the text of links. */
  listing(): string[] {
    const found: string[] = [];
    const walk = (path: string): void => {
      for (const entry of readdirSync(this.at(path), { withFileTypes: true })) {
        const below = path === "" ? entry.name : `${path}/${entry.name}`;
        if (entry.isDirectory()) walk(below);
        else found.push(entry.isSymbolicLink() ? `${below} -> ${readlinkSync(this.at(below))}` : below);
      }
    };
    walk("");
    return found.sort();
  }

  objects(): string[] {
    return this.listing().filter((path) => path.startsWith("objects/"));
  }

  exists(path: string): boolean {
    return existsSync(this.at(path));
  }

  /** Runs a command on this repository. */
  run(command: string, ...args: readonly string[]): Ran {
    return runProgram([...command.split(" "), "--repo", this.path, ...args]);
  }

  json(command: string, ...args: readonly string[]): { readonly exit: number; readonly value: Record<string, unknown> } {
    const { exit, stdout, stderr } = this.run(command, "--json", ...args);
    try {
      return { exit, value: JSON.parse(stdout) as Record<string, unknown> };
    } catch {
      throw new Error(`${command}: ${stdout}${stderr}`);
    }
  }
}

export function runProgram(argv: readonly string[]): Ran {
  const done = Bun.spawnSync([...program(), ...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 60_000, env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" } });
  return { exit: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
}
