/** Writing objects, without fs-verity (this kernel has none): names, what is there already, staging, what an interrupted run left. */

import { describe, expect, spyOn, test } from "bun:test";
import { chmodSync, chownSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fsverityDigest } from "../../../src/fsverity/index.ts";
import { lockFile } from "../../../src/linux/lock.ts";
import { O, openPath } from "../../../src/linux/index.ts";
import { FileChanged, SourceError } from "../../../src/repository/content-copier.ts";
import { ObjectStore } from "../../../src/repository/object-store.ts";
import { ObjectWriter } from "../../../src/repository/object-writer.ts";
import { cleanStaging } from "../../../src/repository/staging.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

const digestOf = (bytes: Uint8Array): string => fsverityDigest(bytes, "sha256").toHex();
const yes = (): boolean => true;

class Place implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly path = this.directory.path;
  readonly objects = join(this.path, "objects");
  readonly own = join(this.path, "own");

  constructor() {
    mkdirSync(this.objects);
    mkdirSync(this.own);
  }

  /** Opens a store, lets it be worked with, and closes it. */
  store<T>(work: (store: ObjectStore, writer: ObjectWriter) => T): T {
    using objects = openPath(this.objects, O.RDONLY | O.DIRECTORY);
    using own = openPath(this.own, O.RDONLY | O.DIRECTORY);
    using store = new ObjectStore(objects, { algorithm: "sha256", beside: own, prefix: "staging-" });
    const writer = new ObjectWriter(store.target);
    return work(store, writer);
  }

  /** A directory as runs make them. */
  staging(name: string): string {
    mkdirSync(join(this.own, name), { mode: 0o700 });
    return join(this.own, name);
  }

  file(name: string, bytes: Uint8Array): string {
    const path = join(this.path, name);
    writeFileSync(path, bytes);
    return path;
  }

  /** Paths of objects below objects/. */
  names(): string[] {
    return readdirSync(this.objects, { recursive: true, encoding: "utf8" }).filter((path) => path.includes("/")).toSorted();
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

function put(store: ObjectStore, writer: ObjectWriter, path: string, sparse = false, unchanged = yes): string {
  using file = openPath(path, O.RDONLY);
  const { size } = statSync(path);
  const { digest, how } = writer.store(file.fd, size, sparse, unchanged);
  store.note(digest, how, size);
  return `${digest.toHex()} ${how}`;
}

describe("objects", () => {
  test("get their names only when everything is on the disk", () => {
    using place = new Place();
    const small = new TextEncoder().encode("content ".repeat(20));
    const large = new Uint8Array(3_000_000).map((_, index) => index * 7 + (index >> 11));
    place.store((store, writer) => {
      expect(put(store, writer, place.file("small", small))).toBe(`${digestOf(small)} staged`);
      expect(put(store, writer, place.file("large", large))).toBe(`${digestOf(large)} staged`);
      expect(put(store, writer, place.file("again", small))).toBe(`${digestOf(small)} present`);
      expect(place.names()).toEqual([]);
      store.commit();
      expect(store.counts).toEqual({ written: 2, present: 1, replaced: 0, writtenBytes: small.length + large.length });
    });
    expect(place.names()).toEqual([small, large].map((bytes) => digestOf(bytes).replace(/^../, "$&/")).toSorted());
    for (const bytes of [small, large]) expect(readFileSync(join(place.objects, digestOf(bytes).replace(/^../, "$&/"))).equals(bytes)).toBe(true);
    expect(readdirSync(place.own)).toEqual([]);
    expect(statSync(join(place.objects, digestOf(small).replace(/^../, "$&/"))).mode & 0o777).toBe(0o644);
  });

  test("get theirs where somebody else has made some of the directories meanwhile", () => {
    using place = new Place();
    const contents = Array.from({ length: 40 }, (_, index) => new TextEncoder().encode(`content ${index} `.repeat(20)));
    const objectOf = (bytes: Uint8Array): string => digestOf(bytes).replace(/^../, "$&/");
    place.store((store, writer) => {
      for (const [index, bytes] of contents.entries()) put(store, writer, place.file(`f${index}`, bytes));
      // one that is there already, one that is damaged, and a directory alone
      for (const [index, text] of [[0, contents[0]], [1, new Uint8Array(contents[1]?.length ?? 0)], [2, undefined]] as const) {
        const path = join(place.objects, objectOf(contents[index] ?? new Uint8Array()));
        mkdirSync(join(path, ".."), { recursive: true });
        if (text !== undefined) writeFileSync(path, text);
      }
      store.commit();
      expect(store.counts.replaced).toBe(1);
      // the directories in which the first were staged are not written to again
      const later = new TextEncoder().encode("later ".repeat(50));
      for (let number = 0; number < 300; number++) expect(put(store, writer, place.file("later", new Uint8Array([...later, number & 255, number >> 8])))).toEndWith(" staged");
      expect(place.names()).toEqual(contents.map(objectOf).toSorted());
      store.commit();
    });
    expect(place.names()).toHaveLength(340);
    for (const path of place.names()) expect(digestOf(readFileSync(join(place.objects, path)))).toBe(path.replace("/", ""));
    expect(readdirSync(place.own)).toEqual([]);
  });

  test("that are there are left, and only if they are files of that size", () => {
    using place = new Place();
    const bytes = new Uint8Array(500).fill(3);
    const path = place.file("f", bytes);
    const object = join(place.objects, digestOf(bytes).replace(/^../, "$&/"));
    place.store((store, writer) => {
      put(store, writer, path);
      store.commit();
    });
    const { ino } = statSync(object);
    place.store((store, writer) => expect(put(store, writer, path)).toEndWith(" present"));
    expect(statSync(object).ino).toBe(ino);
    // cut short, as a power cut leaves what another program did not wait for
    truncateSync(object, 0);
    place.store((store, writer) => {
      expect(put(store, writer, path)).toEndWith(" staged");
      store.commit();
      expect(store.counts.replaced).toBe(1);
    });
    expect(readFileSync(object).equals(bytes)).toBe(true);
  });

  test("of sparse files are sparse", () => {
    using place = new Place();
    const path = place.file("sparse", new TextEncoder().encode("begin"));
    truncateSync(path, 8 << 20);
    place.store((store, writer) => {
      expect(put(store, writer, path, true)).toBe(`${digestOf(readFileSync(path))} staged`);
      store.commit();
    });
    const object = join(place.objects, digestOf(readFileSync(path)).replace(/^../, "$&/"));
    expect([statSync(object).size, statSync(object).blocks < 100]).toEqual([8 << 20, true]);
  });

  test("of files that change are not made", () => {
    using place = new Place();
    const path = place.file("f", new Uint8Array(2_000_000));
    place.store((store, writer) => {
      expect(() => put(store, writer, path, false, () => false)).toThrow(FileChanged);
      using file = openPath(path, O.RDONLY);
      expect(() => writer.store(file.fd, 2_000_001, false, yes)).toThrow(FileChanged);
      store.commit();
    });
    expect([place.names(), readdirSync(place.own)]).toEqual([[], []]);
  });

  test("of files that cannot be read are not made, and that is not the store's fault", () => {
    using place = new Place();
    const path = place.file("f", new Uint8Array(2_000_000));
    place.store((_, writer) => {
      using file = openPath(path, O.WRONLY);
      expect(() => writer.store(file.fd, 100, false, yes)).toThrow(SourceError);
    });
    expect([place.names(), readdirSync(place.own)]).toEqual([[], []]);
  });

  test("made from portions", () => {
    using place = new Place();
    const bytes = new Uint8Array(10_000).fill(9);
    place.store((store) => {
      expect(store.storePortions((sink) => [0, 4000, 9000].forEach((at, index, all) => sink(bytes.subarray(at, all[index + 1])))).toHex()).toBe(digestOf(bytes));
      store.commit();
    });
    expect(place.names()).toHaveLength(1);
  });
});

describe("what an interrupted run left", () => {
  test("is taken away by the next, and not while its owner lives", () => {
    using place = new Place();
    const left = place.staging("staging-leftAB");
    for (const name of [".tmp-object-aB3dE6gH9jKl", `object-${"ab".repeat(32)}`, `object-${"ab".repeat(64)}`, "aB3dE6gH9jKl.json"]) writeFileSync(join(left, name), "half");
    symlinkSync("../objects/ab/cd", join(left, "link"));
    for (const [name, rest] of [["ab", 31], ["cd", 63], ["ef", 0]] as const) {
      mkdirSync(join(left, name));
      if (rest > 0) writeFileSync(join(left, name, "cd".repeat(rest)), "half");
    }
    const empty = place.staging("staging-000000");
    // below a directory that hands its group down
    chmodSync(empty, 0o2700);
    const alive = place.staging("staging-aliveX");
    using lock = openPath(alive, O.RDONLY | O.DIRECTORY);
    lockFile(lock, "shared", false);
    mkdirSync(join(place.own, "recipes"));
    place.store((store) => expect(store.cleaned).toBe(2));
    expect([existsSync(left), existsSync(empty), existsSync(alive), existsSync(join(place.own, "recipes"))]).toEqual([false, false, true, true]);
    lock.close();
    using own = openPath(place.own, O.RDONLY | O.DIRECTORY);
    expect(cleanStaging(own, "staging-")).toBe(1);
  });

  test("something else is left alone, all of it, whatever of it looks like ours", () => {
    using place = new Place();
    const object = "cd".repeat(31);
    const others: Readonly<Record<string, string>> = {
      "staging-mine": "ab/z", "staging-": "f", "staging-abcdef.old": `ab/${object}`, "staging-abcde-": `ab/${object}`, "staging-aaaaaa": "f", "staging-bbbbbb": "ab/z", "staging-cccccc": "ab/.tmp-object-a",
      "staging-dddddd": "tree/f", "staging-eeeeee": `ab/cd/${object}`, "staging-ffffff": `abc/${object}`, "staging-gggggg": ".tmp-object-a/f", "staging-hhhhhh": "link/f", "staging-iiiiii": `ab/${object}0`,
      "staging-jjjjjj": "notes.json", "staging-kkkkkk": `AB/${object}`, "staging-llllll": `ab/${object}/f`,
    };
    for (const [name, path] of Object.entries(others)) {
      place.staging(name);
      mkdirSync(join(place.own, name, path, ".."), { recursive: true });
      writeFileSync(join(place.own, name, path), "");
      // among them, what a run could have left
      writeFileSync(join(place.own, name, ".tmp-object-aB3dE6gH9jKl"), "");
      mkdirSync(join(place.own, name, "00"));
      writeFileSync(join(place.own, name, "00", object), "");
    }
    mkdirSync(join(place.path, "outside"));
    writeFileSync(join(place.path, "outside", object), "");
    symlinkSync("../../outside", join(place.staging("staging-zzzzzz"), "ab"));
    symlinkSync("../outside", join(place.own, "staging-yyyyyy"));
    linkSync(place.file("f", new Uint8Array(1)), join(place.own, "staging-xxxxxx"));
    // as nobody makes one, and of somebody else
    chmodSync(place.staging("staging-wwwwww"), 0o755);
    chownSync(place.staging("staging-vvvvvv"), 12345, 12345);
    const listing = (): string[] => readdirSync(place.path, { recursive: true }).map(String).sort();
    const before = listing();
    place.store((store) => expect(store.cleaned).toBe(0));
    expect(listing()).toEqual(before);
  });
});

test("the umask is asked for, never set, not even for a moment: threads share it", () => {
  using place = new Place();
  const umask = (): string => /^Umask:\s*(\d+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "";
  const before = process.umask(0o077);
  const asked = spyOn(process, "umask");
  try {
    const path = place.file("f", new Uint8Array(100).fill(1));
    place.store((store, writer) => {
      using file = openPath(path, O.RDONLY);
      const { digest, how } = writer.store(file.fd, 100, false, yes);
      store.note(digest, how, 100);
      store.commit();
    });
    expect([umask(), asked.mock.calls.length]).toEqual(["0077", 0]);
    const [name = ""] = place.names();
    expect(statSync(join(place.objects, name)).mode & 0o7777).toBe(0o644);
  } finally {
    asked.mockRestore();
    process.umask(before);
  }
});
