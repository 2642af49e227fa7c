/**
 * The attacks, as data: what an attacker sets or leaves lying about, how the effect is seen, and on
 * which build it works. Those that have no effect on any build today are here as well (`works: "never"`):
 * a later version of the runtime may learn them.
 */

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Build, Outcome, Surroundings } from "./programs.ts";

export interface Scene extends Surroundings {
  readonly args?: readonly string[];
  /** Whether the attack left its mark outside the program. */
  readonly marked?: () => boolean;
  /** Whether the attack shows in the probe's output or end. */
  readonly shown?: (outcome: Outcome) => boolean;
}

export interface Attack {
  readonly what: string;
  /** The best-protected control on which it works; on that one and on `plain` it must. */
  readonly works: Exclude<Build, "finished"> | "never";
  /** @param directory empty, for this attack alone */
  prepare(directory: string): Scene;
}

/** A module that leaves a mark when it runs, and the check for it. */
function evil(directory: string): { file: string; marked: () => boolean } {
  const mark = join(directory, "mark");
  const file = join(directory, "evil.cjs");
  writeFileSync(file, `require("node:fs").writeFileSync(${JSON.stringify(mark)}, "struck");\n`);
  return { file, marked: () => existsSync(mark) };
}

function codeThrough(variable: string, value: (file: string, directory: string) => string): Attack["prepare"] {
  return (directory) => {
    const { file, marked } = evil(directory);
    return { environment: { [variable]: value(file, directory) }, marked };
  };
}

function fileWritten(variable: string): Attack["prepare"] {
  return (directory) => {
    const path = join(directory, "victim");
    writeFileSync(path, "precious");
    return { environment: { [variable]: path }, marked: () => Bun.file(path).size !== 8 };
  };
}

/** Something other than the program's own line of JSON, or a changed end. */
const disturbed = (outcome: Outcome): boolean => outcome.status !== 0 || outcome.stderr !== "" || !outcome.stdout.startsWith('{"environment":');

function bunfig(directory: string, file: string): string {
  const path = join(directory, "bunfig.toml");
  writeFileSync(path, `preload = [${JSON.stringify(file)}]\n`);
  return path;
}

export const ATTACKS: readonly Attack[] = [
  { what: "BUN_BE_BUN=1 makes it the whole bun command", works: "compiled", prepare: () => ({ environment: { BUN_BE_BUN: "1" }, args: ["--revision"], shown: ({ stdout }) => stdout.startsWith("1.") }) },
  {
    what: "BUN_BE_BUN=1 evaluates an argument",
    works: "compiled",
    prepare: (directory) => {
      const { file, marked } = evil(directory);
      return { environment: { BUN_BE_BUN: "1" }, args: [file], marked };
    },
  },
  { what: "BUN_OPTIONS=--preload runs a file", works: "plain", prepare: codeThrough("BUN_OPTIONS", (file) => `--preload=${file}`) },
  { what: "BUN_OPTIONS=--require runs a file", works: "plain", prepare: codeThrough("BUN_OPTIONS", (file) => `--require=${file}`) },
  { what: "BUN_OPTIONS=--import runs a file", works: "plain", prepare: codeThrough("BUN_OPTIONS", (file) => `--import=${file}`) },
  { what: "BUN_OPTIONS=--config names a bunfig.toml that runs a file", works: "plain", prepare: codeThrough("BUN_OPTIONS", (file, directory) => `--config=${bunfig(directory, file)}`) },
  {
    what: "BUN_OPTIONS=--preload stops a strict program",
    works: "compiled",
    prepare: (directory) => ({ environment: { BUN_OPTIONS: `--preload=${evil(directory).file}` }, shown: disturbed }),
  },
  {
    what: "BUN_OPTIONS=--cpu-prof writes files",
    works: "compiled",
    prepare: (directory) => ({ environment: { BUN_OPTIONS: `--cpu-prof --cpu-prof-dir=${join(directory, "profiles")}` }, marked: () => existsSync(join(directory, "profiles")) }),
  },
  {
    what: "BUN_OPTIONS=--env-file sets variables",
    works: "plain",
    prepare: (directory) => {
      writeFileSync(join(directory, "more.env"), "TERM=struck\n");
      return { environment: { BUN_OPTIONS: `--env-file=${join(directory, "more.env")}` }, shown: ({ stdout }) => stdout.includes('"TERM":"struck"') };
    },
  },
  { what: "BUN_BYTECODE_ORDER_OUT overwrites a file", works: "compiled", prepare: fileWritten("BUN_BYTECODE_ORDER_OUT") },
  { what: "BUN_BYTECODE_DIGEST_OUT overwrites a file", works: "compiled", prepare: fileWritten("BUN_BYTECODE_DIGEST_OUT") },
  { what: "BUN_BYTECODE_ORDER_NAMES_OUT overwrites a file", works: "never", prepare: fileWritten("BUN_BYTECODE_ORDER_NAMES_OUT") },
  { what: "BUN_JSC_* with a wrong name stops it", works: "compiled", prepare: () => ({ environment: { BUN_JSC_noSuchOption: "1" }, shown: disturbed }) },
  { what: "BUN_JSC_dumpOptions prints", works: "compiled", prepare: () => ({ environment: { BUN_JSC_dumpOptions: "1" }, shown: disturbed }) },
  { what: "JSC_dumpOptions prints", works: "never", prepare: () => ({ environment: { JSC_dumpOptions: "1" }, shown: disturbed }) },
  { what: "MIMALLOC_VERBOSE prints", works: "compiled", prepare: () => ({ environment: { MIMALLOC_VERBOSE: "1" }, shown: disturbed }) },
  {
    what: "any other variable reaches the program",
    works: "compiled",
    prepare: () => ({ environment: { PATH: "/struck", HOME: "/struck", TMPDIR: "/struck", SSL_CERT_FILE: "/struck" }, shown: ({ stdout }) => stdout.includes("/struck") }),
  },
  {
    what: "bunfig.toml in the working directory runs a file",
    works: "plain",
    prepare: (directory) => {
      const { file, marked } = evil(directory);
      bunfig(directory, file);
      return { cwd: directory, marked };
    },
  },
  {
    what: ".env in the working directory sets variables",
    works: "plain",
    prepare: (directory) => {
      for (const name of [".env", ".env.local", ".env.production"]) writeFileSync(join(directory, name), "TERM=struck\nBUN_OPTIONS=--smol\n");
      return { cwd: directory, shown: ({ stdout }) => stdout.includes('"TERM":"struck"') };
    },
  },
  {
    what: "bunfig.toml in HOME and XDG_CONFIG_HOME runs a file",
    works: "never",
    prepare: (directory) => {
      const { file, marked } = evil(directory);
      writeFileSync(join(directory, ".bunfig.toml"), `preload = [${JSON.stringify(file)}]\n`);
      return { environment: { HOME: directory, XDG_CONFIG_HOME: directory }, marked };
    },
  },
  {
    what: "tsconfig.json, package.json and node_modules in the working directory redirect imports",
    works: "never",
    prepare: (directory) => {
      const { file, marked } = evil(directory);
      writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions: { baseUrl: ".", paths: { "node:fs": ["./evil.cjs"], "bun:ffi": ["./evil.cjs"] } } }));
      writeFileSync(join(directory, "package.json"), JSON.stringify({ main: "evil.cjs", imports: { "node:fs": "./evil.cjs" } }));
      for (const name of ["fs", "node:fs", "bun:ffi"]) {
        mkdirSync(join(directory, "node_modules", name), { recursive: true });
        writeFileSync(join(directory, "node_modules", name, "index.js"), `require(${JSON.stringify(file)});\n`);
      }
      return { cwd: directory, environment: { NODE_PATH: join(directory, "node_modules") }, marked };
    },
  },
  { what: "BUN_INSPECT stops a strict program", works: "compiled", prepare: () => ({ environment: { BUN_INSPECT: "ws://127.0.0.1:1/x" }, shown: disturbed }) },
  { what: "BUN_INSPECT_CONNECT_TO makes a strict program print", works: "compiled", prepare: () => ({ environment: { BUN_INSPECT_CONNECT_TO: "unix:///nowhere" }, shown: disturbed }) },
  { what: "NODE_OPTIONS=--require runs a file", works: "never", prepare: codeThrough("NODE_OPTIONS", (file) => `--require ${file}`) },
  { what: "BUN_INSPECT_PRELOAD runs a file", works: "never", prepare: codeThrough("BUN_INSPECT_PRELOAD", (file) => file) },
  { what: "-e, --preload and --inspect are the program's own arguments", works: "never", prepare: (directory) => {
    const { file, marked } = evil(directory);
    return { args: ["--preload", file, "-r", file, "-e", `require(${JSON.stringify(file)})`, "--inspect"], marked };
  } },
  ...["bun", "bunx", "node", "-sh", ""].map((argv0): Attack => ({
    what: `being called "${argv0}" changes what it is`,
    works: "never",
    prepare: (directory) => {
      const { file, marked } = evil(directory);
      return { argv0, args: ["run", file], marked };
    },
  })),
];
