/** Digests of single files by several threads. */

import { expect, test } from "bun:test";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestFile } from "../../../src/directory/index.ts";
import { fsverityDigest } from "../../../src/fsverity/index.ts";
import { O, openPath, readUpTo } from "../../../src/linux/index.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

test("of every size, from the beginning, the file stays open", () => {
  using place = new TemporaryDirectory();
  const path = join(place.path, "file");
  for (const length of [0, 1, 4096, 4097, 600_000, 67_108_865]) {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 999) bytes[at] = at;
    writeFileSync(path, bytes);
    using file = openPath(path, O.RDONLY);
    readUpTo(file, 10);
    for (const algorithm of ["sha256", "sha512"] as const) expect(digestFile(file, algorithm, 2).toHex(), `${length}`).toBe(fsverityDigest(bytes, algorithm).toHex());
    expect(readUpTo(file, 1).length).toBe(length > 10 ? 1 : 0);
  }
}, 30_000);

test("of holes", () => {
  using place = new TemporaryDirectory();
  const path = join(place.path, "file");
  writeFileSync(path, "");
  truncateSync(path, 1 << 24);
  using file = openPath(path, O.RDONLY);
  expect(digestFile(file, "sha256").toHex()).toBe(fsverityDigest(new Uint8Array(1 << 24), "sha256").toHex());
});
