/** Whether the executable is of the sources as they are: tests of an older one prove nothing. */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** What build.ts makes it of. */
const SOURCES = ["src", "build.ts", "package.json"];

/**
 * By the times of modification; `npm test` builds before it tests, and a checkout's files are all older than that.
 * @returns the newest source that is younger than the executable, below `top`; undefined where none is
 */
export function newerSource(executable: string, top: string): string | undefined {
  const built = statSync(executable).mtimeMs;
  let newest: { readonly path: string; readonly time: number } | undefined;
  const look = (path: string): void => {
    const found = statSync(join(top, path));
    if (found.isDirectory()) for (const name of readdirSync(join(top, path))) look(join(path, name));
    else if (found.mtimeMs > Math.max(built, newest?.time ?? 0)) newest = { path, time: found.mtimeMs };
  };
  for (const path of SOURCES) look(path);
  return newest?.path;
}
