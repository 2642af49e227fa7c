/** What has to be true whenever setup-root refuses, whatever the reason. */

import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { CATALOGUE, type ErrorCode } from "../../src/errors/index.ts";
import type { Finished, Initramfs } from "./initramfs.ts";

export interface ErrorReport {
  readonly code: string;
  readonly exit: number;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
  readonly next: string;
}

/** One aligned block, ended by a newline; nothing at the start of a line but the head; no stack trace, no colour. */
export function expectOneBlock(text: string, code: ErrorCode): void {
  const [head = "", ...rows] = text.trimEnd().split("\n");
  expect(head).toMatch(/^sealroot: \S.*\s\[SR-E\d{3}\]$/);
  expect(head).toEndWith(`[${code}]`);
  for (const row of rows) expect(row).toMatch(/^ {2}(\S.*| +\S.*)$/);
  expect(text).toEndWith("\n");
  expect(text).not.toMatch(/^\s+at .*[:(]\d+/m);
  // oxlint-disable-next-line no-control-regex
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  expect(rows.some((row) => row.startsWith("  meaning "))).toBe(true);
  expect(rows.some((row) => row.startsWith("  next "))).toBe(true);
}

/**
 * Runs `act`, which must refuse with `code`, and compares the namespace after with before.
 * @returns what it printed, for a closer look
 */
export function expectRefusal(initramfs: Initramfs, code: ErrorCode, act: () => Finished, options: { readonly report?: boolean } = {}): Finished {
  const before = initramfs.mountTable();
  const done = act();
  expect(done.hung).toBe(false);
  expectOneBlock(done.stderr, code);
  expect(done.exit).toBe(CATALOGUE[code].exit);
  expect(done.stdout).toBe("");
  expect(initramfs.mountTable()).toEqual(before);
  if (options.report !== false) {
    expect(readdirSync(initramfs.at("/run/sealroot"))).toEqual(["boot.json"]);
    const report = bootReport(initramfs);
    expect(report["ok"]).toBe(false);
    expect(report["error"]).toMatchObject({ code, exit: CATALOGUE[code].exit });
  }
  return done;
}

export function bootReport(initramfs: Initramfs): Record<string, unknown> {
  const report: unknown = JSON.parse(initramfs.read("/run/sealroot/boot.json"));
  if (typeof report !== "object" || report === null) throw new Error("boot.json is no object");
  return report as Record<string, unknown>;
}
