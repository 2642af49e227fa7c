/** Finding things on a disk: the order of candidates, the state directory, and that no link leads out. Needs no root. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { locateImage, locateState, openState, stateSource, openSysroot } from "../../../src/boot/locate.ts";
import type { ImageArgument } from "../../../src/cmdline-parser/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";
import { readUpTo } from "../../../src/linux/index.ts";
import { Repository } from "../../../src/repository/index.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

const A = "aa".repeat(32);
const B = "bb".repeat(32);
const C = "cc".repeat(64);

const argument = (digest: string): ImageArgument => ({
  key: "composefs", version: undefined, algorithm: digest.length === 64 ? "sha256" : "sha512", blockSizeLog2: 12, digest, insecure: false, text: `composefs=${digest}`, offset: 0,
});

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    return error.code;
  }
}

/** A disk with state directories for these digests. */
function disk(...digests: readonly string[]): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  for (const digest of digests) mkdirSync(`${directory.path}/state/deploy/${digest}/etc`, { recursive: true });
  return directory;
}

describe("locateState", () => {
  test("the mounted digest first, then the command line's order", () => {
    using both = disk(A, B);
    using sysroot = openSysroot(both.path);
    using first = locateState(sysroot, B, [argument(A), argument(B)]);
    expect(first.label).toBe(`${both.path}/state/deploy/${B}`);
    using fallen = locateState(sysroot, C, [argument(C), argument(A), argument(B)]);
    expect(fallen.label).toBe(`${both.path}/state/deploy/${A}`);
  });

  test("none, a file, a link out, an absolute link, no state at all", () => {
    using empty = disk();
    using nowhere = openSysroot(empty.path);
    expect(codeOf(() => locateState(nowhere, A, [argument(A)]))).toBe("SR-E305");
    using root = disk(B);
    using sysroot = openSysroot(root.path);
    expect(codeOf(() => locateState(sysroot, A, [argument(A)]))).toBe("SR-E305");
    writeFileSync(`${root.path}/state/deploy/${A}`, "");
    expect(codeOf(() => locateState(sysroot, A, [argument(B)]))).toBe("SR-E204");
    symlinkSync("../../../..", `${root.path}/state/deploy/${"11".repeat(32)}`);
    expect(codeOf(() => locateState(sysroot, "11".repeat(32), []))).toBe("SR-E204");
    symlinkSync(root.path, `${root.path}/state/deploy/${"22".repeat(32)}`);
    expect(codeOf(() => locateState(sysroot, "22".repeat(32), []))).toBe("SR-E204");
  });

  test("a link that stays on the disk", () => {
    using root = disk(B);
    symlinkSync(B, `${root.path}/state/deploy/${A}`);
    using sysroot = openSysroot(root.path);
    using state = locateState(sysroot, A, []);
    expect(state.label).toEndWith(A);
  });
});

describe("openState", () => {
  test("below any sysroot, however its path is written", () => {
    using root = disk(A);
    for (const path of [root.path, `${root.path}/`, `${root.path}/.`, `${root.path}//state/..`]) {
      using sysroot = openSysroot(path);
      using state = locateState(sysroot, A, []);
      using etc = openState(sysroot, stateSource(sysroot, state, "etc"));
      expect(etc.path).toStartWith("/proc/self/fd/");
    }
  });

  test("the sysroot may be /", () => {
    using sysroot = openSysroot("/");
    expect(codeOf(() => locateState(sysroot, A, []))).toBe("SR-E305");
  });

  test("a link that climbs out of the state directory and stays on the disk, as bootc's var; one that leaves it", () => {
    using root = disk(A);
    mkdirSync(`${root.path}/state/os/default/var`, { recursive: true });
    symlinkSync("../../os/default/var", `${root.path}/state/deploy/${A}/var`);
    symlinkSync("../../../../../../../../etc", `${root.path}/state/deploy/${A}/out`);
    symlinkSync("/etc", `${root.path}/state/deploy/${A}/absolute`);
    writeFileSync(`${root.path}/state/deploy/${A}/file`, "");
    using sysroot = openSysroot(root.path);
    using state = locateState(sysroot, A, []);
    using shared = openState(sysroot, stateSource(sysroot, state, "var"));
    expect(shared.label).toContain("/var");
    expect(codeOf(() => openState(sysroot, stateSource(sysroot, state, "out")))).toBe("SR-E204");
    expect(codeOf(() => openState(sysroot, stateSource(sysroot, state, "absolute")))).toBe("SR-E204");
    expect(codeOf(() => openState(sysroot, stateSource(sysroot, state, "file")))).toBe("SR-E306");
    expect(codeOf(() => openState(sysroot, stateSource(sysroot, state, "missing")))).toBe("SR-E306");
  });
});

describe("locateImage", () => {
  /** A disk with a repository of SHA-256 that has these images. */
  function repository(...digests: readonly string[]): TemporaryDirectory {
    const root = new TemporaryDirectory();
    mkdirSync(`${root.path}/composefs/images`, { recursive: true });
    writeFileSync(`${root.path}/composefs/meta.json`, '{"version":1,"algorithm":"fsverity-sha256-12"}');
    for (const digest of digests) writeFileSync(`${root.path}/composefs/images/${digest}`, `image ${digest.slice(0, 2)}`);
    return root;
  }

  test("the first that exists; the others are told with their reasons", () => {
    using root = repository(B);
    using sysroot = openSysroot(root.path);
    using opened = Repository.open(sysroot);
    const passedOver: { readonly argument: ImageArgument; readonly reason: string }[] = [];
    const found = locateImage(opened, { candidates: [argument(C), argument(A), argument(B)], skipped: [] }, passedOver);
    using image = found.image;
    expect(found.argument.digest).toBe(B);
    expect(new TextDecoder().decode(readUpTo(image, 100))).toBe("image bb");
    expect(passedOver.map(({ argument: { digest }, reason }) => [digest, reason])).toEqual([[C, "the repository is of sha256"], [A, "not in the repository"]]);
  });

  test("none: SR-E203 with all that was tried and skipped", () => {
    using root = repository();
    using sysroot = openSysroot(root.path);
    using opened = Repository.open(sysroot);
    try {
      locateImage(opened, { candidates: [argument(A), argument(C)], skipped: [{ text: "composefs=x", offset: 0, reason: "malformed", explanation: "short" }] }, []);
      throw new Error("found");
    } catch (error) {
      expect(error).toMatchObject({ code: "SR-E203", details: [["tried", `composefs=${A}  (not in the repository)`], ["tried", `composefs=${C}  (the repository is of sha256)`], ["skipped", "composefs=x  (short)"]] });
    }
  });
});

test("openSysroot: missing, or a file: SR-E200", () => {
  expect(codeOf(() => openSysroot("/nowhere/at/all"))).toBe("SR-E200");
  expect(codeOf(() => openSysroot("/proc/self/comm"))).toBe("SR-E200");
});
