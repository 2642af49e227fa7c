/** Where the tools by their known names are not as the C tools, on purpose: said here, and nowhere else passes. */

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Case, golden, type Outcome, ours, outcome, scratch, theirs } from "../support/tool-outcomes.ts";
import type { ToolName } from "../support/peer-tools.ts";

describe("on purpose not as the C tools", () => {
  const both = (tool: ToolName, args: readonly string[], how: Case = {}): readonly [Outcome, Outcome] => [outcome(theirs, tool, args, how), outcome(ours, tool, args, how)];

  test("a source that is refused costs no image", () => {
    const before = (directory: string): void => writeFileSync(join(directory, "out"), "old");
    const [c, own] = both("mkcomposefs", ["--from-file", "bad.dump", "out"], { before });
    expect([own.exit, own.stdout, own.stderr]).toEqual([c.exit, c.stdout, c.stderr]);
    const sha = (text: string): string => createHash("sha256").update(text).digest("hex");
    expect(c.left).toContain(`out 100644 1 ${sha("")}`);
    expect(own.left).toContain(`out 100644 1 ${sha("old")}`);
    const [cNew, ownNew] = both("mkcomposefs", ["--from-file", "bad.dump", "out"]);
    expect(cNew.left.filter((line) => line.startsWith("out"))).toEqual([`out 100644 1 ${sha("")}`]);
    expect(ownNew.left.filter((line) => line.startsWith("out"))).toEqual([]);
  });

  test("the source as its own image: the C tool reads what it has just emptied", () => {
    const [c, own] = both("mkcomposefs", ["--from-file", "small.dump", "small.dump"]);
    expect([c.exit, c.stderr]).toEqual([1, "mkcomposefs: No files in dump file\n"]);
    expect([own.exit, own.stderr]).toEqual([0, ""]);
  });

  test("control characters and bytes that are not UTF-8 in messages are shown as escapes", () => {
    const [c, own] = both("mkcomposefs", ["--from-file", "--print-digest-only", "-"], { stdin: "/ \u001bx 40755 1 0 0 0 0.0 - - -\n" });
    expect(c.stderr).toContain("\u001b");
    // the mode is read first, the size is what is wrong
    expect(own.stderr).toBe("mkcomposefs: Invalid integer \\x1bx\n");
    expect(own.exit).toBe(c.exit);
  });

  test("what the C tool takes by mistake is refused: parse.tsv says which", () => {
    const rows = readFileSync(join(golden, "parse.tsv"), "utf8").split("\n").map((line) => line.split("\t")).filter((row) => /C BUG|C bug/.test(row[6] ?? "") && row[1] === "0");
    expect(rows.length).toBe(13);
    for (const [name] of rows) {
      const [c, own] = both("mkcomposefs", ["--from-file", "--print-digest-only", join(golden, `parse/${name}.dump`)]);
      expect([name, c.exit, own.exit]).toEqual([name, 0, 1]);
      expect(own.stderr).toMatch(/^mkcomposefs: [^\n]+\n$/);
    }
  });

  test("object paths whose length is 3 more than a multiple of 4 come without stray bytes", () => {
    const image = join(scratch.path, "16.cfs");
    expect(Bun.spawnSync([join(theirs, "mkcomposefs"), "--from-file", join(golden, "16-payload-lengths.dump"), image], { env: {} }).exitCode).toBe(0);
    const [c, own] = both("composefs-info", ["objects", image]);
    const lines = (text: string): string[] => text.trimEnd().split("\n");
    const differing = lines(own.stdout).filter((line) => !lines(c.stdout).includes(line));
    expect(differing.length).toBeGreaterThan(0);
    for (const line of differing) expect(line.length % 4).toBe(3);
  });

  test("directories deeper than 4096 are refused when they are written, not fatal when they are read", () => {
    const dump = join(scratch.path, "deep.dump");
    const lines = Array.from({ length: 4096 }, (_, level) => `${"/d".repeat(level + 1)} 4096 40755 2 0 0 0 0.0 - - -\n`);
    writeFileSync(dump, `/ 4096 40755 2 0 0 0 0.0 - - -\n${lines.join("")}`);
    const image = join(scratch.path, "deep.cfs");
    const [c, own] = both("mkcomposefs", ["--from-file", dump, image]);
    expect([c.exit, own.exit, own.stderr]).toEqual([0, 1, "mkcomposefs: cannot write file: directories are more than 4096 deep\n"]);
    const [cRead, ownRead] = both("composefs-info", ["ls", image]);
    expect([0, 1]).not.toContain(cRead.exit);
    expect([ownRead.exit, ownRead.stderr]).toEqual([1, `composefs-info: Failed to load '${image}': Invalid argument\n`]);
    // one less is read by ours
    writeFileSync(dump, `/ 4096 40755 2 0 0 0 0.0 - - -\n${lines.slice(0, -1).join("")}`);
    expect(both("mkcomposefs", ["--from-file", dump, image])[1].exit).toBe(0);
    expect(outcome(ours, "composefs-info", ["ls", image], {}).stdout.split("\n").length).toBe(4096);
  });

  test("a whiteout as the source is refused, not fatal", () => {
    const whiteout = join(scratch.path, "whiteout");
    expect(Bun.spawnSync(["mknod", whiteout, "c", "0", "0"]).exitCode).toBe(0);
    const [c, own] = both("mkcomposefs", ["--print-digest-only", whiteout]);
    expect([0, 1]).not.toContain(c.exit);
    expect([own.exit, own.stdout, own.stderr]).toEqual([1, "", "mkcomposefs: cannot write file: Not a directory\n"]);
  });

  test("the digest of an empty file is the kernel's", () => {
    const [c, own] = both("composefs-info", ["measure-file", "empty"]);
    expect([own.exit, own.stdout]).toEqual([0, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95\n"]);
    // as the fsverity program has it
    expect(readFileSync(join(golden, "verity.tsv"), "utf8")).toContain(`ramp\t0\te3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\t${own.stdout.trimEnd()}\t`);
    expect(c.stdout).not.toBe(own.stdout);
  });

  test("a directory has no digest, and that is what is said", () => {
    const [c, own] = both("composefs-info", ["measure-file", "."]);
    expect([c.exit, c.stderr]).toEqual([1, "failed to measure '.': No data available"]);
    expect([own.exit, own.stderr]).toEqual([1, "failed to measure '.': Is a directory"]);
  });
});
