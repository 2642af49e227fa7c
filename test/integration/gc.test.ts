/** gc on repositories that composefs-rs has written: what it keeps, what goes, and that it does nothing where it cannot know. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { faultyProgram } from "../support/program.ts";
import { KINDS, type Ran, runProgram, TestRepository } from "../support/repositories.ts";
import { splitstream } from "../support/splitstream.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

/** What cfsctl gc --dry-run says of them. */
const CFSCTL = { "sha256-v1": 16469, "sha512-v1": 16469, "sha256-v2": 4181, "sha512-v2": 4181 } as const;

describe("what composefs-rs would remove goes, and nothing else", () => {
  for (const kind of KINDS) {
    test(kind, () => {
      using repository = new TestRepository(kind);
      const { kept, unnamed } = repository;
      const before = repository.listing();
      const dry = repository.json("gc --no-boot-entries", "--dry-run");
      expect(dry.exit).toBe(0);
      expect(dry.value["removed"]).toEqual({ objects: 2, bytes: CFSCTL[kind], images: [unnamed], streams: [], commits: [], recipes: [], temporary: [], otherBytes: 0, interrupted: [] });
      expect(repository.listing()).toEqual(before);
      const listed = repository.run("gc --no-boot-entries", "--list").stdout.trimEnd().split("\n");

      expect(repository.json("gc --no-boot-entries").value["removed"]).toEqual(dry.value["removed"] as object);
      const after = repository.listing();
      const gone = before.filter((path) => !after.includes(path)).map((path) => path.replace(/ -> .*/, ""));
      expect(gone.length).toBe(3);
      expect(gone.sort()).toEqual(listed.sort());
      expect(repository.exists(`images/${kept}`)).toBe(true);
      expect(repository.json("fsck").value["ok"]).toBe(true);
      expect(repository.json("gc --no-boot-entries").value["removed"]).toEqual({ objects: 0, bytes: 0, images: [], streams: [], commits: [], recipes: [], temporary: [], otherBytes: 0, interrupted: [] });
    });
  }
});

/** What keeps the image that has no name: the test makes it, gc has to find it. */
const ROOTS: Readonly<Record<string, (repository: TestRepository, digest: string) => void>> = {
  "a state directory": ({ top }, digest) => void mkdirSync(`${top}/state/deploy/${digest}`, { recursive: true }),
  "a boot entry": (repository, digest) => repository.write("boot/loader/entries/a.conf", `title x\nversion 1\nlinux /vmlinuz\noptions rw composefs=?${digest}\n`),
  "a staged boot entry": (repository, digest) => repository.write("boot/loader/entries.staged/a.conf", `linux /vmlinuz\noptions composefs.digest=v1-${repository.algorithm}-12:${digest}\n`),
  "the name of a unified kernel image": (repository, digest) => repository.write(`boot/efi/EFI/Linux/bootc/bootc_composefs-${digest}.efi`, uki("quiet")),
  "the command line of a unified kernel image": (repository, digest) => repository.write("efi/EFI/Linux/system.efi", uki(`quiet composefs.digest=v1-${repository.algorithm}-12:${digest}`)),
  "a menu of GRUB": (repository, digest) => repository.write("boot/grub2/user.cfg", `menuentry "x" {\nchainloader /EFI/Linux/bootc/bootc_composefs-${digest}.efi\n}\n`),
  "a boot entry with a name in capitals": (repository, digest) => repository.write("boot/loader/entries/A.CONF", `linux /vmlinuz\noptions composefs=${digest}\n`),
  "a variable of GRUB": (repository, digest) => repository.write("boot/grub2/grubenv", `# GRUB Environment Block\nkernelopts=root=x composefs=${digest} ro\n####`),
  "a menu of GRUB on the EFI system partition": (repository, digest) => repository.write("boot/efi/EFI/fedora/grub.cfg", `set kernelopts="composefs=${digest}"\n`),
  "a unified kernel image as the firmware's default": (repository, digest) => repository.write("efi/EFI/BOOT/BOOTX64.EFI", uki(`composefs=${digest}`)),
  "a unified kernel image in a directory that is a link": (repository, digest) => {
    repository.write("boot/EFI/BOOT/BOOTX64.EFI", "MZ, a boot loader");
    repository.write("boot/kernels/a/system.efi", uki(`composefs=${digest}`));
    symlinkSync("../kernels", `${repository.top}/boot/EFI/Linux`);
    symlinkSync("..", `${repository.top}/boot/kernels/again`);
  },
  "a reference with directories": (repository, digest) => {
    mkdirSync(repository.at("images/refs/release/44"), { recursive: true });
    symlinkSync(`../../../${digest}`, repository.at("images/refs/release/44/x"));
  },
  "a stream": (repository, digest) => {
    const stream = repository.put(splitstream({ named: [["composefs.image", digest]], chunks: new Uint8Array(0), contentType: 0x66696e616d69636fn, algorithm: repository.algorithm === "sha256" ? 1 : 2 }));
    repository.link("streams/oci-manifest-sha256:1", stream);
    mkdirSync(repository.at("streams/refs/oci"), { recursive: true });
    symlinkSync("../../oci-manifest-sha256:1", repository.at("streams/refs/oci/localhost%2Fx"));
  },
};

function sh(script: string): void {
  const { exitCode, stderr } = Bun.spawnSync(["sh", "-ec", script]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

/** The smallest file that is read as a unified kernel image. */
function uki(commandLine: string): Uint8Array {
  const text = new TextEncoder().encode(commandLine);
  const bytes = new Uint8Array(512 + text.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x4d, 0x5a]);
  view.setUint32(0x3c, 64, true);
  view.setUint32(64, 0x4550, true);
  view.setUint16(68, 0x8664, true);
  view.setUint16(70, 1, true);
  bytes.set(new TextEncoder().encode(".cmdline"), 88);
  view.setUint32(96, text.length, true);
  view.setUint32(104, text.length, true);
  view.setUint32(108, 512, true);
  bytes.set(text, 512);
  return bytes;
}

describe("kept by", () => {
  for (const [name, make] of Object.entries(ROOTS)) {
    for (const kind of ["sha256-v1", "sha512-v2"] as const) {
      test(`${name}, ${kind}`, () => {
        using repository = new TestRepository(kind);
        make(repository, repository.unnamed);
        const before = repository.listing();
        const { exit, value } = repository.json("gc --no-boot-entries");
        expect(exit).toBe(0);
        expect(value["removed"]).toMatchObject({ objects: 0, images: [] });
        expect(repository.listing()).toEqual(before);
      });
    }
  }

  test("a commit, if that is asked for; else it goes with its image", () => {
    using repository = new TestRepository("sha256-v1");
    const { unnamed } = repository;
    repository.write(`composefs/commits/${unnamed}/${"1".repeat(64)}.commit`, "x");
    repository.write(`composefs/commits/${unnamed}/${"1".repeat(64)}.commitmeta`, "x");
    expect(repository.json("gc --no-boot-entries", "--keep-signed").value["removed"]).toMatchObject({ objects: 0, commits: [] });
    repository.write(`composefs/commits/${unnamed}/notes`, "of somebody else");
    expect(repository.json("gc --no-boot-entries").value["removed"]).toMatchObject({ objects: 2, commits: [unnamed] });
    expect(repository.listing().filter((path) => path.startsWith("commits/"))).toEqual([`commits/${unnamed}/notes`]);
  });
});

describe("without its link, as a power cut in the middle of a deployment leaves it, is kept", () => {
  for (const kind of KINDS) {
    test(`a deployed image, ${kind}`, () => {
      using repository = new TestRepository(kind);
      const { unnamed } = repository;
      mkdirSync(`${repository.top}/state/deploy/${unnamed}`, { recursive: true });
      rmSync(repository.at(`images/${unnamed}`));
      repository.write(`composefs/sealroot/recipes/${unnamed}.json`, "{}");
      const before = repository.listing();
      const { value } = repository.json("gc --no-boot-entries");
      expect(value["removed"]).toMatchObject({ objects: 0, images: [], recipes: [] });
      expect(repository.listing()).toEqual(before);
    });
  }

  test("an image that a stream names, and the stream that another one names", () => {
    using repository = new TestRepository("sha256-v1");
    const { unnamed } = repository;
    rmSync(repository.at(`images/${unnamed}`));
    const other = { chunks: new Uint8Array(0), contentType: 0x66696e616d69636fn };
    const inner = repository.put(splitstream({ named: [["composefs.image", unnamed]], ...other }));
    const plain = repository.put(new TextEncoder().encode("a file"));
    repository.link("streams/a", repository.put(splitstream({ named: [["config", inner], ["file", plain], ["gone", "a".repeat(64)]], ...other })));
    mkdirSync(repository.at("streams/refs"));
    symlinkSync("../a", repository.at("streams/refs/a"));
    const before = repository.listing();
    expect(repository.json("gc --no-boot-entries", "--ignore-missing", "a".repeat(64)).value["removed"]).toMatchObject({ objects: 0 });
    expect(repository.listing()).toEqual(before);
  });
});

test("a reference whose name is not UTF-8 is not passed over", () => {
  using repository = new TestRepository("sha256-v1");
  const { unnamed } = repository;
  sh(`cd ${repository.at("images/refs")} && ln -s ../${unnamed} "$(printf 'a\\377')"`);
  expectOneBlock(repository.run("gc --no-boot-entries").stderr, "SR-E542");
  expect(repository.exists(`images/${unnamed}`)).toBe(true);
});

test("what an interrupted run has begun is on the disk before objects go", () => {
  using repository = new TestRepository("sha256-v1");
  repository.put(new TextEncoder().encode("an object alone"));
  rmSync(repository.at(`images/${repository.unnamed}`));
  using files = new TemporaryDirectory();
  const log = join(files.path, "log");
  const done = Bun.spawnSync([...faultyProgram(), "gc", "--no-boot-entries", "--repo", repository.path], { env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", FAULTS: JSON.stringify({ log }) } });
  expect(done.exitCode).toBe(0);
  const calls = readFileSync(log, "utf8").split("\n").map((line) => line.split(" ")[1]);
  expect(calls.filter((call) => call === "syncfs" || call === "unlinkat")).toEqual(["syncfs", "unlinkat", "unlinkat", "unlinkat"]);
});

describe("whose machine is not seen", () => {
  const refused = (ran: Ran, next: string): void => {
    expect(ran.exit).toBe(CATALOGUE["SR-E542"].exit);
    expectOneBlock(ran.stderr, "SR-E542");
    expect(ran.stderr).toContain(next);
  };

  test("boot entries that are not mounted", () => {
    using repository = new TestRepository("sha256-v1");
    const before = repository.listing();
    refused(repository.run("gc"), "--no-boot-entries");
    // those of another system
    repository.write("boot/loader/entries/a.conf", "linux /vmlinuz\noptions root=/dev/sda1\n");
    refused(repository.run("gc"), "--no-boot-entries");
    expect(repository.listing()).toEqual(before);
    repository.write("esp/loader/entries/a.conf", `linux /vmlinuz\noptions composefs=${repository.unnamed}\n`);
    expect(repository.json("gc", "--boot", `${repository.top}/esp`).value["removed"]).toMatchObject({ objects: 0 });
  });

  test("a repository by another name", () => {
    using repository = new TestRepository("sha256-v1");
    const { top, unnamed } = repository;
    mkdirSync(`${top}/state/deploy/${unnamed}`, { recursive: true });
    renameSync(`${top}/composefs`, `${top}/repository`);
    const gc = (...more: readonly string[]): Ran => runProgram(["gc", "--repo", `${top}/repository`, "--no-boot-entries", ...more]);
    refused(gc(), "--sysroot none");
    expect(gc("--sysroot", top).stdout).toStartWith("removed 0 images, 0 streams, 0 objects");
    // a link tells whose it is
    symlinkSync("repository", `${top}/composefs`);
    expect(gc().stdout).toStartWith("removed 0 images, 0 streams, 0 objects");
    expect(gc("--sysroot", "none").stdout).toStartWith("removed 1 image, 0 streams, 2 objects");
  });
});

test("an image that is named and not here is given up only by name", () => {
  using repository = new TestRepository("sha256-v1");
  const [first, second] = ["a".repeat(64), "b".repeat(64)];
  for (const digest of [first, second]) mkdirSync(`${repository.top}/state/deploy/${digest}`, { recursive: true });
  const { stderr } = repository.run("gc --no-boot-entries", "--ignore-missing", first);
  expectOneBlock(stderr, "SR-E542");
  expect(stderr).toContain(`--ignore-missing ${second}`);
  expect(repository.json("gc --no-boot-entries", "--ignore-missing", first, "--ignore-missing", second).value["removed"]).toMatchObject({ objects: 2 });
});

/** What makes it impossible to know what is needed. */
const UNREADABLE: Readonly<Record<string, (repository: TestRepository) => void>> = {
  "a reference to nothing": (repository) => rmSync(repository.at(`images/${repository.kept}`)),
  "a link to an object that is gone": (repository) => rmSync(repository.objectPath(repository.kept)),
  "an image that is cut short": (repository) => truncateSync(repository.objectPath(repository.kept), 2000),
  "an image that is no image": (repository) => writeFileSync(repository.objectPath(repository.kept), "x".repeat(9000)),
  "a stream that is no stream": (repository) => {
    repository.link("streams/a", repository.put(new TextEncoder().encode("no stream")));
    mkdirSync(repository.at("streams/refs"));
    symlinkSync("../a", repository.at("streams/refs/a"));
  },
  "a deployed image that is not there": (repository) => void mkdirSync(`${repository.top}/state/deploy/${"a".repeat(64)}`, { recursive: true }),
  "an image whose link leads to another one": (repository) => {
    const { kept, unnamed } = repository;
    rmSync(repository.at(`images/${kept}`));
    repository.link(`images/${kept}`, unnamed);
  },
  "an image that has another one's content": (repository) => {
    const { kept, unnamed } = repository;
    writeFileSync(repository.objectPath(kept), readFileSync(repository.objectPath(unnamed)));
  },
  "a stream that has another one's content": (repository) => {
    const digest = repository.put(splitstream({ named: [["composefs.image", repository.unnamed]], chunks: new Uint8Array(0), contentType: 0x66696e616d69636fn }));
    repository.link("streams/a", digest);
    mkdirSync(repository.at("streams/refs"));
    symlinkSync("../a", repository.at("streams/refs/a"));
    writeFileSync(repository.objectPath(digest), splitstream({ chunks: new Uint8Array(0), contentType: 0x66696e616d69636fn }));
  },
  "a directory of references that is a link": (repository) => sh(`cd ${repository.at("images")} && mv refs other && ln -s other refs && mv other ..`),
  "a file as directory of references": (repository) => sh(`cd ${repository.at("images")} && rm -r refs && touch refs`),
  "a reference that is a file": (repository) => repository.write("composefs/images/refs/a", repository.unnamed),
  "a directory among the images": (repository) => void mkdirSync(repository.at("images/a")),
  "a file among the streams": (repository) => repository.write("composefs/streams/a", "x"),
  "a file among the images that is another one's": (repository) => sh(`cd ${repository.at("images")} && rm ${repository.unnamed} && cp ${repository.kept} ${repository.unnamed}`),
  "a boot entry of a later version": (repository) => repository.write("boot/loader/entries/a.conf", `linux /v\noptions composefs.digest=v9-sha256-12:${"a".repeat(64)}\n`),
  "a unified kernel image that is damaged": (repository) => repository.write("boot/EFI/Linux/a.efi", "MZ and nothing else"),
  "an argument made of variables": (repository) => repository.write("boot/grub/grub.cfg", "linux /v composefs=$digest\n"),
  "boot files deep within directories": (repository) => void mkdirSync(`${repository.top}/boot/EFI/${"a/".repeat(20)}`, { recursive: true }),
  "a boot entry that is a directory": ({ top }) => void mkdirSync(`${top}/boot/loader/entries/a.conf`, { recursive: true }),
  "references within references without end": (repository) => {
    let path = "images/refs/a";
    for (let depth = 0; depth < 70; depth++) path += "/a";
    mkdirSync(repository.at(path), { recursive: true });
  },
};

describe("removes nothing with", () => {
  for (const [name, make] of Object.entries(UNREADABLE)) {
    test(name, () => {
      using repository = new TestRepository("sha256-v1");
      make(repository);
      const before = repository.listing();
      const { exit, stderr, stdout } = repository.run("gc --no-boot-entries");
      expect(exit).toBe(CATALOGUE["SR-E542"].exit);
      expect(stdout).toBe("");
      expectOneBlock(stderr, "SR-E542");
      expect(repository.listing()).toEqual(before);
    });
  }
});

test("--dry-run says where the run itself would refuse", () => {
  using repository = new TestRepository("sha256-v1");
  const notes = (): unknown => repository.json("gc --dry-run --sysroot none").value["notes"];
  expect(notes()).toEqual([]);
  const meta = JSON.parse(readFileSync(repository.at("meta.json"), "utf8")) as Record<string, unknown>;
  repository.write("composefs/meta.json", JSON.stringify({ ...meta, features: { "read-only-compatible": ["v1_erofs", "new-links"] } }));
  expectOneBlock(repository.run("gc --sysroot none").stderr, "SR-E202");
  expect(JSON.stringify(notes())).toContain("features: new-links");
  const { exit, stdout } = repository.run("gc --dry-run --sysroot none");
  expect([exit, stdout.includes("without --dry-run nothing is removed")]).toEqual([0, true]);
});

test("what is no part of a repository is left alone, and what was not finished goes", () => {
  using repository = new TestRepository("sha256-v1");
  const foreign = ["objects/README", "objects/ab/short", "images/a-file", "bootc/storage/x", "objects/ab/.hidden"];
  for (const path of foreign) repository.write(`composefs/${path}`, "x");
  for (const path of ["objects/.tmp-object-aaaaaaaaaaaa", "objects/ab/.tmp-object-bbbbbbbbbbbb"]) repository.write(`composefs/${path}`, "x");
  symlinkSync("x", repository.at(".symlink-cccccccccccc"));
  const { value } = repository.json("gc --no-boot-entries");
  expect((value["removed"] as { temporary: string[] }).temporary.sort()).toEqual([".symlink-cccccccccccc", "objects/.tmp-object-aaaaaaaaaaaa", "objects/ab/.tmp-object-bbbbbbbbbbbb"]);
  for (const path of foreign) expect(repository.exists(path), path).toBe(true);
  expect(repository.listing().filter((path) => path.includes(".tmp-") || path.includes(".symlink-"))).toEqual([]);
});

test("an image that is a file and no link is left alone, with what it needs", () => {
  using repository = new TestRepository("sha256-v1");
  const { unnamed } = repository;
  const done = Bun.spawnSync(["sh", "-c", `rm "$1" && cp "$2" "$1"`, "sh", repository.at(`images/${unnamed}`), repository.objectPath(unnamed)]);
  expect(done.exitCode).toBe(0);
  // the object of the same content goes, what the file needs stays
  expect(repository.json("gc --no-boot-entries").value["removed"]).toMatchObject({ objects: 1, images: [] });
});

test("not while somebody else uses the repository; looking is allowed", async () => {
  using repository = new TestRepository("sha256-v1");
  const before = repository.listing();
  const reader = Bun.spawn(["flock", "--shared", repository.path, "sh", "-c", "echo locked; exec sleep 60"], { stdout: "pipe" });
  try {
    await reader.stdout.getReader().read();
    const { exit, stderr } = repository.run("gc --no-boot-entries");
    expect(exit).toBe(CATALOGUE["SR-E543"].exit);
    expectOneBlock(stderr, "SR-E543");
    expect(repository.listing()).toEqual(before);
    expect(repository.run("gc --no-boot-entries", "--dry-run").exit).toBe(0);
    expect(repository.run("fsck").exit).toBe(0);
  } finally {
    reader.kill();
    await reader.exited;
  }
});
