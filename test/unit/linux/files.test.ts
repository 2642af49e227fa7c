/** System calls on files, as a user without privilege may make them: confined lookups, whole reads and writes, owned descriptors. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import {
  BENEATH, Descriptor, ERRNO, errnoName, errnoText, HERE, IN_ROOT, isErrno, makeDirectory, makeSymlink, measureVerity, O, openAt, openPath, readInto, readLink, readUpTo,
  removeDirectory, renameNoReplace, reopen, replaceFile, statAt, SyscallError, tryLock, writeAll,
} from "../../../src/linux/index.ts";
import { cString } from "../../../src/linux/syscall.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

function errnoOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof SyscallError) return error.errnoName;
    throw error;
  }
  return "none";
}

describe("openat2", () => {
  test("what BENEATH refuses", () => {
    using temporary = new TemporaryDirectory();
    const top = `${temporary.path}/top`;
    mkdirSync(`${top}/in`, { recursive: true });
    writeFileSync(`${top}/in/file`, "x");
    writeFileSync(`${temporary.path}/outside`, "x");
    symlinkSync("in/file", `${top}/good`);
    symlinkSync("../outside", `${top}/up`);
    symlinkSync("/etc/passwd", `${top}/absolute`);
    symlinkSync("loop", `${top}/loop`);
    symlinkSync("in/../../outside", `${top}/sly`);
    using directory = openPath(top, O.RDONLY | O.DIRECTORY);
    const open = (path: string, flags: number = O.RDONLY) => errnoOf(() => openAt(directory, path, flags, BENEATH).close());
    expect(open("in/file")).toBe("none");
    expect(open("good")).toBe("none");
    expect(open("in/../in/file")).toBe("none");
    expect(open("up")).toBe("EXDEV");
    expect(open("absolute")).toBe("EXDEV");
    expect(open("sly")).toBe("EXDEV");
    expect(open("../outside")).toBe("EXDEV");
    expect(open("/etc/passwd")).toBe("EXDEV");
    expect(open("loop")).toBe("ELOOP");
    expect(open("missing")).toBe("ENOENT");
    expect(open("in/file/x")).toBe("ENOTDIR");
    expect(open("in", O.RDONLY | O.DIRECTORY)).toBe("none");
    expect(open("in/file", O.RDONLY | O.DIRECTORY)).toBe("ENOTDIR");
    expect(open("x".repeat(300))).toBe("ENAMETOOLONG");
  });

  test("IN_ROOT keeps absolute links inside", () => {
    using temporary = new TemporaryDirectory();
    writeFileSync(`${temporary.path}/mine`, "inside");
    symlinkSync("/mine", `${temporary.path}/link`);
    symlinkSync("/../../../mine", `${temporary.path}/climbing`);
    using root = openPath(temporary.path, O.RDONLY | O.DIRECTORY);
    for (const path of ["/link", "climbing", "/../mine"]) {
      using file = openAt(root, path, O.RDONLY, IN_ROOT);
      expect(new TextDecoder().decode(readUpTo(file, 100))).toBe("inside");
    }
  });

  test("a NUL in a path never reaches the kernel, where it would end it", () => {
    expect(errnoOf(() => openPath("/etc/passwd\0.toml", O.RDONLY))).toBe("EINVAL");
    expect([...cString("ab")]).toEqual([0x61, 0x62, 0]);
  });

  test("errors name the call, the path, the errno and its words", () => {
    expect(() => openPath("/nowhere/x", O.RDONLY)).toThrow('openat2(., "/nowhere/x"): ENOENT (no such file or directory)');
  });
});

describe("reopen", () => {
  test("opens the same file, though its name leads elsewhere by now; the label stays", () => {
    using temporary = new TemporaryDirectory();
    writeFileSync(`${temporary.path}/file`, "first");
    using found = openPath(`${temporary.path}/file`, O.PATH);
    expect(errnoOf(() => readInto(found, new Uint8Array(1)))).toBe("EBADF");
    replaceFile(`${temporary.path}/file`, new TextEncoder().encode("second"), 0o600);
    using file = reopen(found, O.RDONLY);
    expect(new TextDecoder().decode(readUpTo(file, 100))).toBe("first");
    expect(file.label).toBe(`${temporary.path}/file`);
  });
});

describe("statx", () => {
  test("types", () => {
    using temporary = new TemporaryDirectory();
    writeFileSync(`${temporary.path}/file`, "12345", { mode: 0o640 });
    symlinkSync("file", `${temporary.path}/link`);
    Bun.spawnSync(["mkfifo", `${temporary.path}/fifo`]);
    using directory = openPath(temporary.path, O.RDONLY | O.DIRECTORY);
    expect(statAt(directory).type).toBe("directory");
    expect(statAt(directory, "file")).toMatchObject({ type: "regular file", size: 5, permissions: 0o640, uid: process.getuid?.() ?? -1 });
    expect(statAt(directory, "link").type).toBe("regular file");
    using link = openAt(directory, "link", O.PATH | O.NOFOLLOW, 0);
    expect(statAt(link).type).toBe("symbolic link");
    expect(statAt(directory, "fifo").type).toBe("FIFO");
    expect(statAt(HERE, "/dev/null")).toMatchObject({ type: "character device", represents: { major: 1, minor: 3 } });
    expect(statAt(directory, "file").inode).toBe(statSync(`${temporary.path}/file`).ino);
  });
});

describe("reading and writing", () => {
  test("readUpTo: whole, to the byte, up to the limit", () => {
    using temporary = new TemporaryDirectory();
    for (const size of [0, 1, 4095, 4096, 4097, 16384, 70_000]) {
      const bytes = Uint8Array.from({ length: size }, (_, index) => index % 251);
      writeFileSync(`${temporary.path}/f`, bytes);
      for (const limit of [1, 4096, 5000, 65536, 1 << 20]) {
        using file = openPath(`${temporary.path}/f`, O.RDONLY);
        expect(Bun.SHA256.hash(readUpTo(file, limit), "hex")).toBe(Bun.SHA256.hash(bytes.subarray(0, limit), "hex"));
      }
    }
  });

  test("replaceFile: mode, content, and nothing half done beside it", () => {
    using temporary = new TemporaryDirectory();
    const path = `${temporary.path}/report.json`;
    for (const text of ["first", "second, longer", "3"]) {
      replaceFile(path, new TextEncoder().encode(text), 0o644);
      expect(readFileSync(path, "utf8")).toBe(text);
    }
    expect(readdirSync(temporary.path)).toEqual(["report.json"]);
    expect(errnoOf(() => replaceFile(`${temporary.path}/none/x`, new Uint8Array(1), 0o644))).toBe("ENOENT");
  });

  test("replaceFile follows no link that somebody laid at the temporary name", () => {
    using temporary = new TemporaryDirectory();
    writeFileSync(`${temporary.path}/victim`, "untouched");
    symlinkSync("victim", `${temporary.path}/x.new`);
    expect(errnoOf(() => replaceFile(`${temporary.path}/x`, new Uint8Array(1), 0o644))).toBe("ELOOP");
    expect(readFileSync(`${temporary.path}/victim`, "utf8")).toBe("untouched");
  });

  test("writeAll to a full device says ENOSPC", () => {
    using full = openPath("/dev/full", O.WRONLY);
    expect(errnoOf(() => writeAll(full, new Uint8Array(10)))).toBe("ENOSPC");
  });
});

describe("directories and links", () => {
  test("made once; a second time says so", () => {
    using temporary = new TemporaryDirectory();
    using directory = openPath(temporary.path, O.RDONLY | O.DIRECTORY);
    expect([makeDirectory(directory, "d", 0o700), makeDirectory(directory, "d", 0o700)]).toEqual([true, false]);
    expect([makeSymlink("to", directory, "l"), makeSymlink("other", directory, "l")]).toEqual([true, false]);
    expect(readLink(`${temporary.path}/l`)).toBe("to");
    removeDirectory(directory, "d");
    expect(errnoOf(() => removeDirectory(directory, "d"))).toBe("ENOENT");
  });
});

describe("Descriptor", () => {
  test("closes once, at the end of its block, and throws when used after", () => {
    let kept: Descriptor;
    let fd: number;
    {
      using file = openPath("/dev/null", O.RDONLY);
      kept = file;
      fd = file.fd;
      expect(file.path).toBe(`/proc/self/fd/${fd}`);
    }
    expect(() => kept.fd).toThrow("used after it was closed");
    using next = openPath("/dev/zero", O.RDONLY);
    expect(next.fd).toBe(fd);
    kept.close();
    expect(readLink(next.path)).toBe("/dev/zero");
  });

  test("take hands over", () => {
    let outer: Descriptor;
    {
      using file = openPath("/dev/null", O.RDONLY);
      outer = file.take();
    }
    expect(readLink(outer.path)).toBe("/dev/null");
    outer.close();
  });

  test("is closed on exec", () => {
    using file = openPath("/dev/null", O.RDONLY);
    const flags = /^flags:\t(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${file.fd}`, "utf8"))?.[1] ?? "";
    expect(Number.parseInt(flags, 8) & O.CLOEXEC).toBe(O.CLOEXEC);
  });
});

describe("errno", () => {
  test("names and words", () => {
    expect(errnoName(2)).toBe("ENOENT");
    expect(errnoName(4095)).toBe("errno 4095");
    expect(errnoText(ERRNO.EXDEV)).toBe("EXDEV (a link leads out of the directory)");
    expect(isErrno(new SyscallError("x", 2), 1, 2)).toBe(true);
    expect(isErrno(new Error("x"), 2)).toBe(false);
  });
  test("the values are those of this machine's headers, as perl has them", () => {
    const listed = Bun.spawnSync(["perl", "-MErrno", "-e", 'print "$_=$!{$_}\n" for (); no strict "refs"; print "$_ ", &{"Errno::$_"}(), "\n" for keys %!']).stdout.toString();
    const real = new Map(listed.trim().split("\n").map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
    for (const [name, value] of Object.entries(ERRNO)) expect(real.get(name), name).toBe(value);
  });
  test("the kernel's own words are in the message", () => {
    expect(new SyscallError("fsconfig(overlay, create)", 22, ["overlay: a", "overlay: b"]).message).toBe("fsconfig(overlay, create): EINVAL (invalid argument) [kernel: overlay: a; overlay: b]");
  });
});

describe("renameat2 with RENAME_NOREPLACE", () => {
  test("moves, and overwrites nothing: no file, no directory, no link that leads nowhere", () => {
    using temporary = new TemporaryDirectory();
    const at = (name: string): string => `${temporary.path}/${name}`;
    writeFileSync(at("new"), "x");
    writeFileSync(at("file"), "mine");
    mkdirSync(at("directory"));
    symlinkSync("nowhere", at("link"));
    for (const name of ["file", "directory", "link"]) expect(errnoOf(() => renameNoReplace(at("new"), at(name)))).toBe("EEXIST");
    expect(errnoOf(() => renameNoReplace(at("absent"), at("other")))).toBe("ENOENT");
    renameNoReplace(at("new"), at("other"));
    expect(readdirSync(temporary.path).sort()).toEqual(["directory", "file", "link", "other"]);
    expect(readFileSync(at("file"), "utf8")).toBe("mine");
  });
});

test("flock: one holder at a time, until it is closed", () => {
  using temporary = new TemporaryDirectory();
  writeFileSync(`${temporary.path}/f`, "x");
  using first = openPath(`${temporary.path}/f`, O.RDONLY);
  using second = openPath(`${temporary.path}/f`, O.RDONLY);
  expect([tryLock(first), tryLock(second), tryLock(first)]).toEqual([true, false, true]);
  first.close();
  expect(tryLock(second)).toBe(true);
});

test("fs-verity of a file that has none: a value, not a failure", () => {
  using temporary = new TemporaryDirectory();
  writeFileSync(`${temporary.path}/f`, "x");
  using file = openPath(`${temporary.path}/f`, O.RDONLY);
  expect(["no-verity", "unsupported"]).toContain(measureVerity(file).kind);
});
