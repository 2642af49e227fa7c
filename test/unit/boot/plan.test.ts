/** The mounts of a plan, in order, and how they are printed. */

import { describe, expect, test } from "bun:test";
import { listMounts, type Plan } from "../../../src/boot/plan.ts";
import { planRows } from "../../../src/boot/summary.ts";

const NO_LIMITS = { size: undefined, inodes: undefined } as const;
const DIGEST = "ab".repeat(32);

const BASE: Omit<Plan, "mounts"> = {
  layout: "composefs", sysroot: "/sysroot", target: "/sysroot", replacesSysroot: true, rootFs: undefined, level: "verity", enforce: true,
  argument: { key: "composefs", version: undefined, algorithm: "sha256", blockSizeLog2: 12, digest: DIGEST, insecure: false, text: `composefs=${DIGEST}`, offset: 0 },
  root: { source: `composefs:${DIGEST}`, transient: false, readOnly: true, limits: NO_LIMITS },
  sysrootReadOnly: false,
  directories: [{ name: "etc", mount: "overlay", limits: NO_LIMITS }, { name: "var", mount: "bind", limits: NO_LIMITS }],
  state: `/sysroot/state/deploy/${DIGEST}`,
};
const list = (changes: Partial<Omit<Plan, "mounts">> = {}) => listMounts({ ...BASE, ...changes }, `/sysroot/composefs/images/${DIGEST}`, "/sysroot/composefs");
const short = (mounts: ReturnType<typeof list>) => mounts.map(({ target, filesystem, options }) => `${target} ${filesystem} ${options.join(",")}`.trimEnd());

describe("listMounts", () => {
  test("the usual", () => {
    expect(short(list())).toEqual([
      "(layer) erofs ro", "/ overlay ro,metacopy=on,redirect_dir=on,verity=require,datadir+=/sysroot/composefs/objects", "/sysroot bind", "/etc overlay", "/var bind",
    ]);
    expect(list().every(({ reason }) => reason !== "")).toBe(true);
  });

  test("unverified says so and has no verity=require", () => {
    const mounts = list({ enforce: false, level: "none" });
    expect(mounts[0]?.reason).toBe("not verified");
    expect(mounts[1]?.options).not.toContain("verity=require");
    expect(mounts[1]?.reason).toContain("not verified");
  });

  test("a transient root: one overlay, one tmpfs with its limits", () => {
    const mounts = list({ root: { source: `transient:composefs=${DIGEST}`, transient: true, readOnly: false, limits: { size: "20%", inodes: 1000 } } });
    expect(short(mounts).slice(0, 3)).toEqual(["(layer) erofs ro", "(layer) tmpfs size=20%,nr_inodes=1000", expect.stringMatching(/^\/ overlay rw,/)]);
    expect(mounts.filter(({ target, filesystem }) => target === "/" && filesystem === "overlay")).toHaveLength(1);
  });

  test("bootc: /sysroot read-only; none is not listed; transient has its limits", () => {
    const mounts = list({ sysrootReadOnly: true, directories: [{ name: "etc", mount: "none", limits: NO_LIMITS }, { name: "var", mount: "transient", limits: { size: "4096", inodes: undefined } }] });
    expect(short(mounts).slice(2)).toEqual(["/sysroot bind ro", "/var overlay size=4096"]);
  });

  test("--root-fs, with and without a transient layer", () => {
    const rootFs = { rootFs: "/tree", argument: undefined, level: "none", enforce: false } as const;
    const plain = listMounts({ ...BASE, ...rootFs, root: { ...BASE.root, source: "/tree" } }, undefined, undefined);
    expect(short(plain).slice(0, 2)).toEqual(["/ bind", "/sysroot bind"]);
    expect(plain[0]?.source).toBe("/tree");
    const transient = listMounts({ ...BASE, ...rootFs, root: { source: "transient", transient: true, readOnly: false, limits: NO_LIMITS } }, undefined, undefined);
    expect(short(transient).slice(0, 3)).toEqual(["(layer) bind", "(layer) tmpfs", "/ overlay rw"]);
  });
});

test("rows are aligned and end in their reason", () => {
  const rows = planRows({ ...BASE, mounts: list() });
  const columns = new Set(rows.map((row) => row.indexOf("# ")));
  expect(columns.size).toBe(1);
  expect(rows.every((row) => /# \S.*$/.test(row))).toBe(true);
});
