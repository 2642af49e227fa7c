/**
 * A physical root as a builder has it before it is written to a machine: a repository with a real image, its commits and
 * signatures made by the program's own commands, keys and a policy beside it. Files here have no fs-verity, so `verify` computes the
 * image's digest; everything else is judged as in a boot.
 */

import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "bun:test";
import { CATALOGUE, type ErrorCode } from "../../src/errors/index.ts";
import { metaJson } from "../vm/lab/deployment.ts";
import { image, storePath } from "./images.ts";
import { program } from "./program.ts";
import { expectOneBlock } from "./refusal.ts";
import { TemporaryDirectory } from "./temporary.ts";

export interface Done {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as it came. */
  readonly bytes: Uint8Array;
}

/** Runs the program on this machine, with nothing in its environment but what is given. */
export function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Done {
  const done = Bun.spawnSync([...program(), ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 30_000, killSignal: "SIGKILL", env: { PATH: "/usr/bin:/bin", ...env } });
  if (done.exitedDueToTimeout === true) throw new Error(`it hung: ${args.join(" ")}`);
  return { exit: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString(), bytes: new Uint8Array(done.stdout) };
}

/** @returns what it printed as JSON */
export function runJson(...args: readonly string[]): Record<string, unknown> {
  const done = run([...args, "--json"]);
  if (done.exit !== 0) throw new Error(`sealroot ${args.join(" ")}: ${done.stderr}${done.stdout}`);
  return JSON.parse(done.stdout) as Record<string, unknown>;
}

/** It must refuse with this code: exit status, one block, nothing on standard output. */
export function expectCode(code: ErrorCode, ...args: readonly string[]): Done {
  const done = run(args);
  expectOneBlock(done.stderr, code);
  expect(done.exit).toBe(CATALOGUE[code].exit);
  expect(done.stdout).toBe("");
  return done;
}

export interface KeyPair {
  readonly id: string;
  readonly private: string;
  readonly public: string;
  readonly pem: string;
}

export class SignedDisk implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly digest: string;
  readonly root = join(this.#directory.path, "root");
  readonly repository = join(this.root, "composefs");
  readonly config = join(this.#directory.path, "conf.toml");
  readonly #keys = new Map<string, KeyPair>();

  private constructor(digest: string) {
    this.digest = digest;
  }

  static async create(): Promise<SignedDisk> {
    const digest = await image();
    const disk = new SignedDisk(digest);
    mkdirSync(disk.root);
    cpSync(join(storePath, "composefs"), disk.repository, { recursive: true, verbatimSymlinks: true });
    writeFileSync(join(disk.repository, "meta.json"), metaJson("sha256"));
    for (const name of ["etc", "var"]) mkdirSync(join(disk.root, "state/deploy", digest, name), { recursive: true });
    return disk;
  }

  /** A path outside the physical root: where keys, policies and other people's files are. */
  at(name: string): string {
    return join(this.#directory.path, name);
  }

  /** The key pair of this name, made when it is first asked for. */
  key(name: string): KeyPair {
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const { keyId, files } = runJson("keygen", "--out", this.at(name)) as { keyId: string; files: Omit<KeyPair, "id"> };
    const key = { id: keyId, private: files.private, public: files.public, pem: files.pem };
    this.#keys.set(name, key);
    return key;
  }

  get argument(): string {
    return `composefs.digest=v1-sha256-12:${this.digest}`;
  }

  /** commits/<digest of the image>/ */
  get commits(): string {
    return join(this.repository, "commits", this.digest);
  }

  /** Writes a commit for the image into the repository. @returns its path */
  commit(...args: readonly string[]): string {
    const { files } = runJson("commit", "--digest", this.digest, "--timestamp", "2026-11-01T00:00:00Z", "--repo", this.repository, ...args) as { files: [string] };
    return files[0];
  }

  sign(commit: string, ...names: readonly string[]): void {
    for (const name of names) runJson("sign", "--key", this.key(name).private, commit);
  }

  /** Level signed, trusting these keys. */
  policy(names: readonly string[], more = ""): void {
    writeFileSync(this.config, `[trust]\nlevel = "signed"\nkeys = ${JSON.stringify(names.map((name) => this.key(name).public))}\n${more}\n`);
  }

  /** The kernel command line; by default it names the image. */
  cmdline: string | undefined;

  get verifyArguments(): readonly string[] {
    return ["verify", "--sysroot", this.root, "--config", this.config, "--cmdline", this.cmdline ?? `root=/dev/vda ${this.argument} ro`];
  }

  /** The boot would be allowed. @returns the report */
  expectAllowed(...more: readonly string[]): Record<string, unknown> {
    return runJson(...this.verifyArguments, ...more);
  }

  /** The boot would be refused with this code. */
  expectRefused(code: ErrorCode, ...more: readonly string[]): Done {
    const report = JSON.parse(run([...this.verifyArguments, "--json", ...more]).stdout) as Record<string, unknown>;
    expect(report).toMatchObject({ allowed: false, error: { code, exit: CATALOGUE[code].exit } });
    return expectCode(code, ...this.verifyArguments, ...more);
  }

  names(): string[] {
    return readdirSync(this.commits);
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}
