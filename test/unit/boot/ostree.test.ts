import { describe, expect, test } from "bun:test";
import { splitCommandLine } from "../../../src/cmdline-parser/index.ts";
import { encodeBooted, packDevice } from "../../../src/boot/ostree-booted.ts";
import { parseDeploymentPath } from "../../../src/boot/ostree-deployment.ts";
import { deploymentTarget } from "../../../src/boot/ostree-inputs.ts";
import type { Plan } from "../../../src/boot/index.ts";
import { forEachEntry, read } from "../../../src/ostree/gvariant-read.ts";
import { show } from "../../../src/ostree/gvariant-plain.ts";
import { typeOf } from "../../../src/ostree/gvariant-type.ts";

const COMMIT = "0123456789abcdef".repeat(4);

describe("the place and name of a deployment", () => {
  test("as ostree makes them", () => {
    expect(parseDeploymentPath(`ostree/deploy/debian/deploy/${COMMIT}.0`)).toEqual({ stateroot: "debian", commit: COMMIT, serial: 0 });
    expect(parseDeploymentPath(`ostree/deploy/a b/deploy/${COMMIT}.12`)).toEqual({ stateroot: "a b", commit: COMMIT, serial: 12 });
  });

  test.each([
    "", "etc", `/ostree/deploy/debian/deploy/${COMMIT}.0`, `ostree/deploy/debian/deploy/${COMMIT}`, `ostree/deploy/debian/deploy/${COMMIT}.`,
    `ostree/deploy/debian/deploy/${COMMIT}.00`, `ostree/deploy/debian/deploy/${COMMIT}.-1`, `ostree/deploy/debian/deploy/${COMMIT.toUpperCase()}.0`,
    `ostree/deploy/debian/deploy/${COMMIT.slice(1)}.0`, `ostree/deploy/debian/deploy/${COMMIT}0.0`, "ostree/deploy/debian/deploy/nothex.7",
    `ostree/deploy/debian/deploy/${COMMIT}.0/etc`, `ostree/deploy/debian/backing/${COMMIT}.0`, `ostree/deploy/../deploy/${COMMIT}.0`, `ostree/deploy//deploy/${COMMIT}.0`,
    `elsewhere/ostree/deploy/debian/deploy/${COMMIT}.0`, `ostree/deploy/debian/deploy/${COMMIT}.0\n`,
  ])("and not %j", (path) => {
    expect(parseDeploymentPath(path)).toBeUndefined();
  });
});

describe("which deployment a command line names", () => {
  const target = (cmdline: string) => deploymentTarget(splitCommandLine(cmdline)).target;

  test("ostree=, the first of several; quotes are the kernel's", () => {
    expect(target("quiet ostree=/ostree/boot.1/debian/ab/0 rw")).toBe("ostree/boot.1/debian/ab/0");
    expect(target("ostree=/a ostree=/b")).toBe("a");
    expect(target('"ostree=/a b"')).toBe("a b");
    expect(target('other="x ostree=/a"')).toBeUndefined();
    expect(target("quiet")).toBeUndefined();
    expect(target("ostree")).toBeUndefined();
    expect(target("ostree=")).toBe("");
  });

  test("an Android boot loader's slot comes first; without a slot it is the first", () => {
    expect(target("androidboot.slot_suffix=_a ostree=/x")).toBe("ostree/root.a");
    expect(target("androidboot.slot_suffix=_b")).toBe("ostree/root.b");
    expect(target("androidboot.slot_suffix=_c ostree=/x")).toBeUndefined();
    expect(target("androidboot.mode=normal")).toBe("ostree/root.a");
    // such a boot loader boots systems that have nothing to do with OSTree
    for (const word of ["androidboot.mode=normal", "androidboot.slot_suffix=_b"]) expect(deploymentTarget(splitCommandLine(word), false)).toEqual({ argument: undefined, target: undefined });
    expect(deploymentTarget(splitCommandLine("androidboot.slot_suffix=_b ostree=/x"), false).target).toBe("ostree/root.b");
    // OSTree would leave the deployment that ostree= names
    expect(target("androidboot.mode=normal ostree=/x")).toBe("x");
  });
});

describe("/run/ostree-booted", () => {
  test("a device number is packed as the C library does it", () => {
    expect(packDevice({ major: 254, minor: 1 })).toBe(0xfe01n);
    expect(packDevice({ major: 0, minor: 0x12345 })).toBe(0x12300045n);
    expect(packDevice({ major: 0x12345, minor: 0xffffff })).toBe(0x1200ffff345ffn);
  });

  const plan = (change: object): Plan => ({ level: "verity", enforce: true, root: { transient: false, readOnly: true }, sysrootReadOnly: true, directories: [{ name: "etc", mount: "bind" }], ...change }) as unknown as Plan;
  const place = { device: { major: 254, minor: 0 }, inode: 7 };
  const entries = (bytes: Uint8Array) => {
    const found: [string, unknown][] = [];
    forEachEntry(read(typeOf("a{sv}"), bytes), ({ key, value }) => found.push([key, value === undefined ? undefined : show(value)]) > 0);
    return found;
  };

  test("keys, types and order are ostree-prepare-root's", () => {
    expect(entries(encodeBooted(plan({}), place))).toEqual([
      ["backing-root-device-inode", [0xfe00n, 7n]], ["root.transient", false], ["root.transient-ro", false], ["composefs", true], ["composefs.verity", true], ["sysroot-ro", true],
    ]);
  });

  test("signed names the key, a transient /etc its layer, a transient root what it is", () => {
    const signed = plan({ level: "signed", deployment: { key: "/etc/ostree/initramfs-root-binding.key" }, directories: [{ name: "etc", mount: "transient" }], root: { transient: true, readOnly: true } });
    expect(entries(encodeBooted(signed, place)).slice(1)).toEqual([
      ["root.transient", true], ["root.transient-ro", true], ["composefs.signed", "/etc/ostree/initramfs-root-binding.key"], ["composefs", true], ["composefs.verity", true],
      ["sysroot-ro", true], ["transient-etc", "/run/ostree/transient-etc"],
    ]);
  });
});
