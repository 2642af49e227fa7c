/** The house: arrows point down, pure rooms are pure, one home for the way into the kernel, small files, no way around the types. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const top = join(import.meta.dir, "../../src");

interface Source {
  readonly path: string;
  readonly text: string;
  /** Modules as they are written. */
  readonly imports: readonly { readonly from: string; readonly typeOnly: boolean }[];
}

const IMPORT = /^\s*(?:import|export)\s+(type\s)?[^;'"]*?from\s+["']([^"']+)["']|^\s*import\s+["']([^"']+)["']|\bimport\(["']([^"']+)["']\)/gm;

const sources: readonly Source[] = [...new Bun.Glob("**/*.ts").scanSync({ cwd: top })].toSorted().map((path) => {
  const text = readFileSync(join(top, path), "utf8");
  const imports = [...text.matchAll(IMPORT)].map(([, type, from, bare, dynamic]) => ({ from: from ?? bare ?? dynamic ?? "", typeOnly: type !== undefined }));
  return { path, text, imports };
});

/** The room of a file: its first directory; "main" for what stands at the top. */
const roomOf = (path: string): string => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "main");
const targetOf = (path: string, from: string): string | undefined => (from.startsWith(".") ? normalize(join(dirname(path), from)) : undefined);

/** Each room, and the rooms that it may import from. errors/ is open to all. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  main: ["commands", "errors", "terminal"],
  commands: ["boot", "cmdline-parser", "config", "deployments", "directory", "dumpfile", "erofs", "fsverity", "initramfs", "linux", "mount", "ostree", "repository", "terminal", "tree", "trust"],
  boot: ["cmdline-parser", "config", "linux", "mount", "ostree", "repository", "terminal", "trust"],
  trust: ["cmdline-parser", "config", "ostree"],
  ostree: [],
  config: ["ostree"],
  "cmdline-parser": [],
  fsverity: [],
  directory: ["fsverity", "linux", "repository", "tree"],
  erofs: ["fsverity", "tree"],
  dumpfile: ["tree"],
  tree: [],
  initramfs: ["cmdline-parser", "config"],
  deployments: ["cmdline-parser", "initramfs", "linux"],
  repository: ["erofs", "fsverity", "linux", "tree"],
  mount: ["linux"],
  terminal: [],
  linux: [],
  errors: [],
  build: [],
};

/** Imported by name: only what deals with signatures or with OSTree needs them, and a boot at level verity is not to load them. */
const SIDE_DOORS = [
  // mount.composefs is no boot
  "mount/composefs.ts",
  "boot/trusted-keys.ts", "ostree/ed25519.ts", "ostree/gvariant-write.ts", "ostree/secret-keys.ts", "repository/commits.ts", "repository/evidence-files.ts", "repository/check-object.ts", "repository/contents.ts", "repository/drafts.ts", "repository/fsck.ts", "repository/fsck-links.ts",
  "repository/gc.ts", "repository/gc-mark.ts", "repository/gc-sweep.ts", "repository/id-set.ts", "repository/image-file.ts", "repository/object-name.ts", "repository/object-source.ts", "repository/publish.ts", "repository/repair.ts", "repository/repository.ts", "repository/stream-keepers.ts",
  "deployments/mount-table.ts", "linux/data.ts", "linux/enable-verity.ts", "initramfs/damage.ts", "initramfs/uki.ts", "linux/entries.ts", "linux/lock.ts", "linux/names.ts", "linux/pieces.ts", "repository/content-copier.ts", "repository/content-hasher.ts", "repository/init.ts", "repository/object-places.ts", "repository/object-store.ts", "repository/object-writer.ts", "repository/write-errors.ts", "repository/writer.ts", "linux/terminal.ts", "terminal/progress.ts", "tree/diff.ts",
  "trust/deployment.ts", "trust/digest-message.ts",
];

const PURE = ["cmdline-parser", "config", "ostree", "trust", "fsverity", "erofs", "dumpfile", "tree", "errors", "terminal"];
/** Files that are pure within a room that is not. */
const PURE_FILES = [
  "boot/interpreter.ts", "boot/options.ts", "boot/plan.ts", "deployments/boot-entries.ts", "deployments/mount-table.ts", "deployments/origin.ts", "repository/id-set.ts", "repository/meta.ts", "repository/object-name.ts", "repository/splitstream.ts", "repository/stream-commit.ts", "repository/stream-references.ts",
];

describe("arrows", () => {
  test("every room is known", () => {
    expect([...new Set(sources.map(({ path }) => roomOf(path)))].filter((room) => !Object.hasOwn(ARROWS, room))).toEqual([]);
  });

  test("point down", () => {
    const wrong = sources.flatMap(({ path, imports }) => imports.flatMap(({ from }) => {
      const target = targetOf(path, from);
      if (target === undefined || target.startsWith("..")) return [];
      const [room, other] = [roomOf(path), roomOf(target)];
      return room === other || other === "errors" || (ARROWS[room] ?? []).includes(other) ? [] : [`${path} imports ${target}`];
    }));
    expect(wrong).toEqual([]);
  });

  test("rooms are entered by their doors from above, except by the boot's own commands", () => {
    const wrong = sources.flatMap(({ path, imports }) => imports.flatMap(({ from }) => {
      const target = targetOf(path, from);
      if (target === undefined || target.startsWith("..") || roomOf(path) === roomOf(target) || roomOf(path) === "main" || roomOf(target) === "commands") return [];
      return target.endsWith("/index.ts") || SIDE_DOORS.includes(target) ? [] : [`${path} imports ${target}`];
    }));
    expect(wrong).toEqual([]);
  });
});

describe("purity", () => {
  const impure = (from: string): boolean => /^(bun:|node:fs|node:child_process|node:net|node:os|node:process|fs$|child_process$)/.test(from);

  test("pure rooms and files import no linux/, no node:fs, no bun:", () => {
    const wrong = sources.filter(({ path }) => PURE.includes(roomOf(path)) || PURE_FILES.includes(path)).flatMap(({ path, imports }) =>
      imports.filter(({ from, typeOnly }) => !typeOnly && (impure(from) || (targetOf(path, from) ?? "").startsWith("linux/"))).map(({ from }) => `${path} imports ${from}`));
    expect(wrong).toEqual([]);
  });

  test("only linux/ imports bun:ffi", () => {
    expect(sources.filter(({ path, imports }) => roomOf(path) !== "linux" && imports.some(({ from }) => from === "bun:ffi")).map(({ path }) => path)).toEqual([]);
  });

  test("the boot reads no environment, runs no program, opens no network", () => {
    const rooms = ["boot", "mount", "linux", "repository", "trust", "config", "cmdline-parser", "fsverity", "errors"];
    const wrong = sources.filter(({ path, text }) => rooms.includes(roomOf(path)) && /process\.env|Bun\.env|import\.meta\.env|Bun\.spawn|child_process|\bfetch\(|Bun\.connect|new Function\(|\beval\(/.test(text)).map(({ path }) => path);
    expect(wrong).toEqual([]);
  });
});

describe("form", () => {
  test("small files: most of at most 300 lines, none of more than 400", () => {
    const longer = (lines: number): string[] => sources.filter(({ text }) => text.split("\n").length > lines + 1).map(({ path }) => path);
    expect(longer(400)).toEqual([]);
    expect(longer(300).length).toBeLessThan(sources.length / 20);
  });

  test("each begins with what it is for", () => {
    expect(sources.filter(({ text }) => !text.startsWith("/**")).map(({ path }) => path)).toEqual([]);
  });

  /** Without comments and the texts between quotes, in which anything may stand. */
  const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, '""');

  test("no any", () => {
    expect(sources.filter(({ text }) => /[:<|&,(=]\s*any\b|\bas any\b/.test(code(text))).map(({ path }) => path)).toEqual([]);
  });

  test("no non-null ! outside linux/", () => {
    expect(sources.filter(({ path, text }) => roomOf(path) !== "linux" && /[\w\])]!(?!=)/.test(code(text))).map(({ path }) => path)).toEqual([]);
  });

  test("no switching off of the type checker", () => {
    expect(sources.filter(({ text }) => /@ts-(ignore|nocheck|expect-error)/.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
