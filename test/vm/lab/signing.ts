/**
 * Keys, commits and signatures as a builder of images makes them: by the program's own `keygen`, `commit` and `sign`, on this
 * machine, in a repository that holds nothing else. What an attacker makes of them is up to the cases.
 */

import { createPrivateKey, sign } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { metaJson } from "./deployment.ts";
import { executable } from "./initramfs.ts";
import { output } from "./run.ts";

export interface SigningKey {
  /** 64 hex digits. */
  readonly id: string;
  /** A line of base64, as the policy's key files have it. */
  readonly public: string;
  /** Path of the private key, PEM. */
  readonly file: string;
}

export interface SignedCommit {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** The kernel's time in the lab is later than this. */
export const COMMIT_TIME = "2026-11-01T00:00:00Z";

async function sealroot(...args: readonly string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await output([executable(), ...args, "--json"], { timeout: 60 })) as Record<string, unknown>;
}

/** Works in a directory of its own: several builders, of this run or another one, may share their keys. */
async function inScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "sealroot-signing-"));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export class Builder implements Disposable {
  /** Of the keys, and of nothing else. */
  readonly #directory: string;
  readonly #temporary: boolean;
  readonly #keys = new Map<string, Promise<SigningKey>>();

  /** @param directory keeps the keys there, and finds them again; default a temporary one */
  constructor(directory?: string) {
    this.#temporary = directory === undefined;
    this.#directory = directory ?? mkdtempSync(join(tmpdir(), "sealroot-signing-"));
  }

  /** The key pair of this name, made when it is first asked for. */
  key(name: string): Promise<SigningKey> {
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const made = this.#keygen(join(this.#directory, name));
    this.#keys.set(name, made);
    return made;
  }

  async #keygen(path: string): Promise<SigningKey> {
    if (!existsSync(`${path}.key`)) writeFileSync(`${path}.id`, String((await sealroot("keygen", "--out", path))["keyId"]));
    return { id: readFileSync(`${path}.id`, "utf8"), public: readFileSync(`${path}.pub`, "utf8").trim(), file: `${path}.key` };
  }

  /** A commit for an image, given as arguments of `sealroot commit` (`--digest …`, `--image …`). */
  commit(...args: readonly string[]): Promise<SignedCommit> {
    const time = args.includes("--timestamp") ? [] : ["--timestamp", COMMIT_TIME];
    return inScratch(async (directory) => {
      const repository = join(directory, "composefs");
      for (const name of ["objects", "images"]) mkdirSync(join(repository, name), { recursive: true });
      writeFileSync(join(repository, "meta.json"), metaJson("sha256"));
      const { commit, files } = (await sealroot("commit", "--repo", repository, ...time, ...args)) as { commit: string; files: [string] };
      return { id: commit, bytes: new Uint8Array(readFileSync(files[0])) };
    });
  }

  /** The commit's `.commitmeta` with signatures by these keys, in this order. */
  commitmeta({ bytes }: Pick<SignedCommit, "bytes">, names: readonly string[]): Promise<Uint8Array> {
    return inScratch(async (directory) => {
      const path = join(directory, "a.commit");
      writeFileSync(path, bytes);
      for (const name of names) await sealroot("sign", "--key", (await this.key(name)).file, path);
      return new Uint8Array(readFileSync(`${path}meta`));
    });
  }

  /** A signature of the bare digest. @param digest `v1-sha256-12:<hex>` */
  bare(digest: string, name: string): Promise<Uint8Array> {
    return inScratch(async (directory) => {
      const path = join(directory, "a.ed25519");
      await sealroot("sign", "--key", (await this.key(name)).file, "--digest", digest, "--out", path);
      return new Uint8Array(readFileSync(path));
    });
  }

  /** A valid signature of any bytes, which `sealroot sign` would not make of what is no commit. */
  async signature(name: string, bytes: Uint8Array): Promise<Uint8Array> {
    return new Uint8Array(sign(null, bytes, createPrivateKey(readFileSync((await this.key(name)).file))));
  }

  /** The 32 secret bytes of a key. */
  async seed(name: string): Promise<Uint8Array> {
    return Uint8Array.fromBase64(String(createPrivateKey(readFileSync((await this.key(name)).file)).export({ format: "jwk" }).d), { alphabet: "base64url" });
  }

  /** Copies the public key of this name as a file for a policy. */
  async publish(name: string, target: string): Promise<void> {
    await this.key(name);
    copyFileSync(join(this.#directory, `${name}.pub`), target);
  }

  [Symbol.dispose](): void {
    if (this.#temporary) rmSync(this.#directory, { recursive: true, force: true });
  }
}
