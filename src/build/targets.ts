/**
 * What can be built, from which runtime, and what the result may be: all of it data, checked at every build.
 *
 * The runtimes are the npm packages that the `bun` package itself installs from. Their hashes are
 * pinned here, so that a build anywhere takes the same bytes. Upstream ships one x86-64 program
 * (built for Nehalem, SSE4.2; AVX2 and AVX-512 are chosen at run time), and its "-baseline" packages
 * hold the same bytes: so the pre-AVX2 variant and the default are the same file.
 */

import { EM_AARCH64, EM_X86_64 } from "./elf.ts";

/** The only version of the runtime that the pins and the changes to it hold for. */
export const RUNTIME_VERSION = "1.4.5";

export interface Runtime {
  readonly packageName: string;
  /** Of the package's archive, as the registry and npm's lock files state it. */
  readonly integrity: string;
  /** Of bin/bun inside it, hexadecimal. */
  readonly sha256: string;
}

/** What `file` may be: a build that differs fails. */
export interface Expectation {
  readonly machine: number;
  readonly interpreter: string;
  /** DT_NEEDED in file order. */
  readonly libraries: readonly string[];
  /** Highest symbol version asked of the C library; undefined where it has none (musl). */
  readonly glibc: string | undefined;
  /** In bytes. */
  readonly largest: number;
}

export interface Target {
  /** What the compiler calls it. */
  readonly compilerName: string;
  /** File name below dist/. */
  readonly file: string;
  readonly runtime: Runtime;
  readonly expectation: Expectation;
}

const MEGABYTE = 1_000_000;

const x64: Target = {
  compilerName: "bun-linux-x64",
  file: "sealroot",
  runtime: {
    packageName: "@oven/bun-linux-x64",
    integrity: "sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==",
    sha256: "f05d28a3862f4b84395c7fa32480b835dd47482e80b7e7a49a115227f0c06083",
  },
  expectation: {
    machine: EM_X86_64,
    interpreter: "/lib64/ld-linux-x86-64.so.2",
    libraries: ["libc.so.6", "ld-linux-x86-64.so.2", "libpthread.so.0", "libdl.so.2", "libm.so.6"],
    glibc: "GLIBC_2.17",
    largest: 114 * MEGABYTE,
  },
};

export const TARGETS = {
  x64,
  "x64-baseline": { ...x64, file: "sealroot-x64-baseline" },
  "x64-musl": {
    compilerName: "bun-linux-x64-musl",
    file: "sealroot-x64-musl",
    runtime: {
      packageName: "@oven/bun-linux-x64-musl",
      integrity: "sha512-10QoW/YfTgnURaGEaHpJCiXjLI2e5iTtfVDaA5JKcyUzaa1cq6cVUY9/Uq5XkYzvtRjHLRe9Oj/lTDIQcxy8HQ==",
      sha256: "cf5d285ddbe256785a5121a3c113191a6b577504976374c7cfd5aedca609b720",
    },
    expectation: {
      machine: EM_X86_64,
      interpreter: "/lib/ld-musl-x86_64.so.1",
      libraries: ["libstdc++.so.6", "libc.musl-x86_64.so.1"],
      glibc: undefined,
      largest: 108 * MEGABYTE,
    },
  },
  arm64: {
    compilerName: "bun-linux-arm64",
    file: "sealroot-arm64",
    runtime: {
      packageName: "@oven/bun-linux-aarch64",
      integrity: "sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==",
      sha256: "04778f1f42399a69d086853e9c7af4acf574b2f21a43d0dc673853d8b84a2923",
    },
    expectation: {
      machine: EM_AARCH64,
      interpreter: "/lib/ld-linux-aarch64.so.1",
      libraries: ["libc.so.6", "ld-linux-aarch64.so.1", "libpthread.so.0", "libdl.so.2", "libm.so.6"],
      glibc: "GLIBC_2.17",
      largest: 115 * MEGABYTE,
    },
  },
  "arm64-musl": {
    compilerName: "bun-linux-arm64-musl",
    file: "sealroot-arm64-musl",
    runtime: {
      packageName: "@oven/bun-linux-aarch64-musl",
      integrity: "sha512-XCNc+WvvMAdNNb+OWTogpy+N9wm62fkVeEVLb6how0RZhW5LPi6c7BlkeVCuWps7XjEl2saFpHFa20/1E+PAHg==",
      sha256: "9c48986093073afec8b76a3e285303598dd2462f52748aecb65e4d94866e1ea3",
    },
    expectation: {
      machine: EM_AARCH64,
      interpreter: "/lib/ld-musl-aarch64.so.1",
      libraries: ["libstdc++.so.6", "libc.musl-aarch64.so.1"],
      glibc: undefined,
      largest: 107 * MEGABYTE,
    },
  },
} as const satisfies Record<string, Target>;

export type TargetName = keyof typeof TARGETS;

export function isTargetName(name: string): name is TargetName {
  return Object.hasOwn(TARGETS, name);
}

/**
 * Flags that the executable starts with, whatever its command line says; part of the file.
 * No code from strings (eval, computed imports, the inspector), no native addons, no packages fetched at run time.
 */
export const EXEC_ARGUMENTS = "--disallow-code-generation-from-strings=strict --no-addons --no-install";

/**
 * The word of switches at the end of the file: 1, 2, 4, 8 = no .env, bunfig.toml, tsconfig.json,
 * package.json from the working directory; the rest (byte code, module format, splitting) as found by
 * building with each option on and off.
 */
export const GRAPH_FLAGS = 0xbff;

/** Set in that word when the machine that built is of another kind than the target. */
export const GRAPH_FLAG_CROSS = 0x400;
