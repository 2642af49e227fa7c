/** The dracut module's functions for keys and the floor, in bash with dracut's own replaced; whole initramfs images: test/integration/dracut.test.ts. */

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { NO_PREPARE_ROOT, parseBuildTime, parsePrepareRoot } from "../../../src/config/index.ts";
import { replacePrepareRoot } from "../../../src/trust/index.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

const MODULE = join(import.meta.dir, "../../../dracut/37sealroot/module-setup.sh");
const DRACUT = `dfatal() { echo "FATAL $*"; }; dwarn() { echo "WARN $*"; }; dinfo() { :; }; inst_multiple() { printf 'INST %s\\n' "$@"; }; inst_dir() { echo "DIR $1"; }`;
const FILES = ["/usr/lib/ostree/prepare-root.conf", "/etc/ostree/prepare-root.conf"] as const;
const DEFAULT = "/etc/ostree/initramfs-root-binding.key";

/** Calls a function of the module for a tree with these files. @returns what it installed, and what it refused */
function call(name: string, files: Readonly<Record<string, string | { readonly link: string }>>, variables = ""): { installed: string[]; refused: string | undefined; floor: string | undefined } {
  using directory = new TemporaryDirectory();
  const root = join(directory.path, "root");
  mkdirSync(join(root, "usr"), { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (typeof content === "string") writeFileSync(join(root, path), content);
    else symlinkSync(content.link, join(root, path));
  }
  const script = `${DRACUT}\ndracutsysrootdir=${root} initdir=${directory.path}/init dracutbasedir=/nonexistent\n. ${MODULE}\n${variables}\n${name}`;
  const done = Bun.spawnSync(["bash", "-c", script], { env: { PATH: "/usr/bin:/bin" }, stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 20_000 });
  expect(done.stderr.toString()).toBe("");
  const lines = done.stdout.toString().split("\n");
  const floor = join(directory.path, "init/usr/lib/composefs/setup-root-not-before");
  return {
    installed: lines.filter((line) => line.startsWith("INST ")).map((line) => line.slice(5)),
    refused: lines.find((line) => line.startsWith("FATAL "))?.replace("FATAL sealroot: ", "").replaceAll(root, ""),
    floor: existsSync(floor) ? readFileSync(floor, "utf8") : undefined,
  };
}

describe("OSTree's key: the one that the boot takes", () => {
  const texts = [undefined, "[composefs]\nenabled = signed\n", "[composefs]\nenabled=signed\nkeypath=/etc/k1\n", "[composefs]\nkeypath = /etc/k2\r\n", "[etc]\ntransient = true\n", "[other]\nenabled = signed\nkeypath = /etc/k1\n", "# x\n[composefs]\nkeypath = /etc/k1\nkeypath = /etc/k2\n[a]\n[composefs]\nenabled=signed"];
  const keys: Readonly<Record<string, string>> = { "/etc/k1": "1", "/etc/k2": "2", [DEFAULT]: "d" };
  const pairs = texts.flatMap((first) => texts.map((second) => [{ first, second }] as const));
  test.each(pairs)("%j", ({ first, second }) => {
    const configs: Record<string, string> = { ...(first === undefined ? {} : { [FILES[0]]: first }), ...(second === undefined ? {} : { [FILES[1]]: second }) };
    const boot = Object.entries(configs).map(([path, text]) => parsePrepareRoot(new TextEncoder().encode(text), path)).reduce((one, other) => (one === NO_PREPARE_ROOT ? other : replacePrepareRoot(one, other)), NO_PREPARE_ROOT);
    expect(call("_sealroot_install_ostree", { ...configs, ...keys })).toMatchObject({ installed: [...Object.keys(configs), boot.keyPath], refused: undefined });
    // without it there is no initramfs, if signatures are asked for
    const { [boot.keyPath]: _, ...others } = keys;
    const { refused } = call("_sealroot_install_ostree", { ...configs, ...others });
    if (boot.composefs === "signed") expect(refused).toBe(`${boot.source ?? ""}, which asks for signatures, names the key ${boot.keyPath}, which does not exist`);
    else expect(refused).toBeUndefined();
  });

  const named = (path: string): Record<string, string> => ({ [FILES[0]]: `[composefs]\nenabled = signed\nkeypath = ${path}\n` });
  test("a directory of keys comes along as the boot reads it", () => {
    expect(call("_sealroot_install_ostree", { ...named("/etc/keys/"), "/etc/keys/a.pub": "a", "/etc/keys/.hidden": "", "/etc/keys/b.pub": { link: "a.pub" } }).installed.toSorted()).toEqual(["/etc/keys/a.pub", "/etc/keys/b.pub", FILES[0]]);
    expect(call("_sealroot_install_ostree", { ...named("/etc/keys"), "/etc/keys": { link: "real" }, "/etc/real/a.pub": "a" }).installed).toEqual([FILES[0], "/etc/keys/a.pub"]);
  });
  test.each<[string, Parameters<typeof call>[1], string]>([
    ["a directory in it", { ...named("/etc/keys"), "/etc/keys/a.pub": "a", "/etc/keys/old/b.pub": "b" }, "/etc/keys/old is a directory: the boot would refuse it"],
    ["nothing in it", { ...named("/etc/keys"), "/etc/keys/.hidden": "" }, "names the directory of keys /etc/keys, which holds none"],
    ["a relative path", { ...named("etc/k1"), ...keys }, "names the key etc/k1, which does not begin with /"],
    ["an escape", { ...named("/etc/k\\s1"), ...keys }, "has a backslash, which is not read here: /etc/k\\s1"],
  ])("%s is refused", (_, files, text) => expect(call("_sealroot_install_ostree", files).refused).toContain(text));
});

test("directories of keys in [trust] are held to the same", () => {
  const config = { "/usr/lib/composefs/setup-root-conf.toml": '[trust]\nlevel = "signed"\nkeys = "/etc/keys"\n' };
  expect(call("_sealroot_install_keys", { ...config, "/etc/keys/a.pub": "a" })).toMatchObject({ installed: ["/etc/keys/a.pub"], refused: undefined });
  expect(call("_sealroot_install_keys", { ...config, "/etc/keys/a.pub": "a", "/etc/keys/old/b.pub": "b" }).refused).toContain("/etc/keys/old is a directory");
});

describe("the floor", () => {
  const config = { "/usr/lib/composefs/setup-root-conf.toml": '[trust]\nlevel = "signed"\nkeys = "/etc/k"\nnot-before = "build"\n' };
  const floor = (variables: string) => call("_sealroot_install_floor", config, variables);
  test("one lower bound for everything that it may come from, and the boot's is the same", () => {
    for (const time of [0, 1, 86_401, 315_532_800, 946_684_799]) {
      const text = `${new Date(time * 1000).toISOString().slice(0, 19)}Z`;
      for (const variables of [`SOURCE_DATE_EPOCH=${time}`, `SOURCE_DATE_EPOCH=${time} sealroot_not_before=now`, `sealroot_not_before=${text}`, `touch -d @${time} "$dracutsysrootdir/usr"; sealroot_not_before=image`]) {
        const { refused, floor: written } = floor(variables);
        expect([variables, refused?.includes(`is ${text} here`), written]).toEqual([variables, true, undefined]);
      }
      expect(() => parseBuildTime(new TextEncoder().encode(`${text}\n`), "f")).toThrow(expect.objectContaining({ code: "SR-E246" }));
    }
    for (const variables of ["SOURCE_DATE_EPOCH=946684800", "sealroot_not_before=2000-01-01T00:00:00Z", 'touch -d @946684800 "$dracutsysrootdir/usr"; sealroot_not_before=image']) {
      expect(floor(variables)).toMatchObject({ refused: undefined, floor: "2000-01-01T00:00:00Z\n" });
    }
    expect(parseBuildTime(new TextEncoder().encode("2000-01-01T00:00:00Z\n"), "f")).toBe(946_684_800);
  });
});
