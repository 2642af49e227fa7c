/** What a filesystem can, and what is made of that: fs-verity or a clear refusal, shared blocks, copies inside the kernel. */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measureVerity, O, openPath } from "../../../src/linux/index.ts";
import type { Filesystem } from "./block.ts";
import { look } from "./look.ts";
import { command, create, REPOSITORY, run, TOP } from "./scenarios.ts";
import { mount, request, unmount } from "./system.ts";
import { traced } from "./trace.ts";

const FS_IOC_FIEMAP = 0xc020660b;
const [EXTENTS, EXTENT] = [16, 56];

/** Where a file's data lies on the device. */
function extentsOf(path: string): { readonly physical: string; readonly shared: boolean }[] {
  const buffer = new Uint8Array(32 + EXTENTS * EXTENT);
  const view = new DataView(buffer.buffer);
  view.setBigUint64(8, 2n ** 63n, true);
  view.setUint32(16, 1, true); // FIEMAP_FLAG_SYNC
  view.setUint32(24, EXTENTS, true);
  if (request(path, "r", FS_IOC_FIEMAP, buffer) < 0) return [];
  return Array.from({ length: view.getUint32(20, true) }, (_, index) => ({ physical: view.getBigUint64(32 + index * EXTENT + 8, true).toString(), shared: (view.getUint32(32 + index * EXTENT + 40, true) & 0x2000) !== 0 }));
}

export interface Found {
  /** `repo init` without more, and then with --insecure where that was refused. */
  readonly init: { readonly exit: number; readonly text: string };
  readonly insecure?: { readonly exit: number; readonly text: string };
  /** Whether meta.json has fs-verity. */
  readonly metaHasVerity?: boolean;
  readonly create?: { readonly exit: number; readonly text: string };
  /** How often each call was made by image create. */
  readonly calls?: Readonly<Record<string, number>>;
  readonly wrong?: readonly string[];
  readonly listing?: readonly string[];
  /** The object of a large file lies where that lies. */
  readonly shared?: boolean;
  readonly fsck?: number;
}

const LARGE = "line of a large file, which the filesystem may share\n".repeat(40_000);

/** A tree on the filesystem itself becomes an image in a repository there. */
export function elsewhere(device: string, { type, options }: Filesystem): Found {
  if (type === "overlay") for (const name of ["lower", "upper", "work"]) mkdirSync(`/run/overlay/${name}`, { recursive: true });
  mount(device, TOP, type, options);
  try {
    const init = run(command("repo", "init", "--algorithm", "sha256", REPOSITORY));
    const insecure = init.exit === 0 ? undefined : run(command("repo", "init", "--algorithm", "sha256", "--insecure", REPOSITORY));
    const made = insecure ?? init;
    if (made.exit !== 0) return { init, insecure: made };
    using meta = openPath(join(REPOSITORY, "meta.json"), O.RDONLY);
    const metaHasVerity = measureVerity(meta).kind === "digest";
    const source = join(TOP, "tree");
    rmSync(source, { recursive: true, force: true });
    mkdirSync(source);
    writeFileSync(join(source, "large"), LARGE);
    writeFileSync(join(source, "small"), LARGE.slice(0, 9000));
    const { exit, text, calls } = traced(create(["--threads", "1", "--name", "a", source]), TOP, () => "go on");
    const counts: Record<string, number> = {};
    for (const call of calls) counts[call] = (counts[call] ?? 0) + 1;
    const { wrong, broken, listing } = look(REPOSITORY, init.exit === 0);
    const places = extentsOf(join(source, "large"));
    const shared = places.length > 0 && listing.some((path) => {
      if (!path.startsWith("objects/")) return false;
      const own = extentsOf(join(REPOSITORY, path));
      return own.length === places.length && own.every(({ physical, shared }, index) => shared && physical === places[index]?.physical);
    });
    return {
      init, ...(insecure === undefined ? {} : { insecure }), metaHasVerity, create: { exit, text }, calls: counts,
      wrong: [...Object.keys(wrong), ...broken], listing, shared, fsck: run(command("fsck", "--repo", REPOSITORY)).exit,
    };
  } finally {
    unmount(TOP);
  }
}
