import { expect, test } from "bun:test";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { newerSource } from "../../support/built.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

test("an executable that is older than any of its sources is not taken", () => {
  using directory = new TemporaryDirectory();
  const at = (path: string, time: number): string => {
    const file = join(directory.path, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "");
    utimesSync(file, time, time);
    return file;
  };
  const executable = at("dist/sealroot", 1000);
  const sources = ["src/main.ts", "src/a/b/deep.ts", "build.ts", "package.json"];
  for (const path of sources) at(path, 999);
  at("README.md", 2000);
  at("test/run.ts", 2000);
  expect(newerSource(executable, directory.path)).toBeUndefined();
  for (const path of sources) {
    at(path, 1001);
    expect(newerSource(executable, directory.path)).toBe(path);
    at(path, 1000);
    expect(newerSource(executable, directory.path)).toBeUndefined();
  }
  at("src/main.ts", 1001);
  at("src/a/b/deep.ts", 1002);
  expect(newerSource(executable, directory.path)).toBe("src/a/b/deep.ts");
});
