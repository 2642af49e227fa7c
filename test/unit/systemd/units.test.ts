/** What the units must say, and what they must not. What systemd makes of them is seen in the integration and VM tests. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LOADER_ENVIRONMENT, UNIT_UNSET_ENVIRONMENT } from "../../../src/build/environment.ts";

const DIRECTORY = join(import.meta.dir, "../../../systemd");

function read(name: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  let section = "";
  for (const line of readFileSync(join(DIRECTORY, name), "utf8").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const header = /^\[(\w+)\]$/.exec(line);
    if (header !== null) {
      section = header[1] ?? "";
      continue;
    }
    const [, key = "", value = ""] = /^(\w+)=(.*)$/.exec(line) ?? [];
    expect(key).not.toBe("");
    const list = values.get(`${section}.${key}`) ?? [];
    list.push(value);
    values.set(`${section}.${key}`, list);
  }
  return values;
}

const words = (values: readonly string[] = []): string[] => values.flatMap((value) => value.split(" "));
const setup = read("sealroot-setup-root.service");
const guard = read("sealroot-guard.service");
const dropIn = read("initrd-switch-root.service.d/sealroot.conf");

describe("sealroot-setup-root.service", () => {
  test("runs in an initramfs when any spelling of the argument is there, or a policy", () => {
    expect(setup.get("Unit.ConditionPathExists")).toEqual([
      "/etc/initrd-release", "|/usr/lib/composefs/setup-root-conf.toml", "|/usr/lib/ostree/prepare-root.conf", "|/etc/ostree/prepare-root.conf",
    ]);
    expect(setup.get("Unit.ConditionKernelCommandLine")).toEqual(["|composefs", "|composefs.digest", "|ostree.prepare-root.composefs"]);
    expect(setup.get("Service.ExecStart")).toEqual(["/usr/bin/sealroot setup-root --if-named"]);
  });

  test("stands where the peer's unit stands", () => {
    expect(setup.get("Unit.DefaultDependencies")).toEqual(["no"]);
    expect(words(setup.get("Unit.Requires"))).toEqual(["sysroot.mount"]);
    expect(words(setup.get("Unit.After"))).toEqual(["sysroot.mount"]);
    expect(words(setup.get("Unit.Before"))).toEqual(expect.arrayContaining(["ostree-prepare-root.service", "initrd-root-fs.target", "initrd-parse-etc.service", "initrd-switch-root.target", "systemd-volatile-root.service"]));
    expect([setup.get("Unit.OnFailure"), setup.get("Unit.OnFailureJobMode")]).toEqual([["emergency.target"], ["isolate"]]);
    expect([setup.get("Service.Type"), setup.get("Service.RemainAfterExit")]).toEqual([["oneshot"], ["yes"]]);
    expect(["Input", "Output", "Error"].map((stream) => setup.get(`Service.Standard${stream}`))).toEqual([["null"], ["journal"], ["journal+console"]]);
  });

  test("takes away every variable that steers the loader, the C library or the runtime", () => {
    const unset = words(setup.get("Service.UnsetEnvironment"));
    expect(UNIT_UNSET_ENVIRONMENT.filter((name) => !unset.includes(name))).toEqual([]);
    expect(unset.length).toBe(new Set(unset).size);
  });

  test("has no setting that would keep the mounts to itself, or take rights from the overlay", () => {
    const harmful = /^Service\.(Private|Protect|ReadOnly|ReadWrite|Inaccessible|Exec(Paths|Search)|NoExec|Temporary|Bind|Mount|Root|Dynamic|State|Cache|Logs|Configuration|Runtime|Capability|Ambient|Secure|User|Group|Supplementary|MemoryDeny|RestrictSUIDSGID|RestrictNamespaces|Personality|Delegate|Slice)/;
    expect([...setup.keys()].filter((key) => harmful.test(key))).toEqual([]);
    expect(setup.get("Service.NoNewPrivileges")).toEqual(["yes"]);
  });
});

describe("the guard", () => {
  test("runs after the helper, before anything looks at the new root, and needs no argument to run", () => {
    expect(words(guard.get("Unit.After"))).toContain("sealroot-setup-root.service");
    expect(words(guard.get("Unit.Before"))).toEqual(expect.arrayContaining(["initrd-root-fs.target", "initrd-parse-etc.service", "initrd-switch-root.service"]));
    expect(guard.get("Unit.ConditionPathExists")).toEqual(["/etc/initrd-release"]);
    expect(guard.has("Unit.ConditionKernelCommandLine")).toBe(false);
    expect(guard.get("Unit.OnFailure")).toEqual(["emergency.target"]);
  });

  test("runs again inside the switch to the root, and its failure counts", () => {
    expect(dropIn.get("Service.ExecStartPre")).toEqual(guard.get("Service.ExecStart") ?? []);
    expect(dropIn.get("Service.ExecStartPre")?.[0]).toStartWith("/");
  });

  test.each([["the unit", guard], ["the drop-in", dropIn]] as const)("%s keeps the loader's variables away too", (_, unit) => {
    const unset = words(unit.get("Service.UnsetEnvironment"));
    expect(LOADER_ENVIRONMENT.filter((name) => !unset.includes(name))).toEqual([]);
    expect(unset).toEqual(expect.arrayContaining(["ENV", "BASH_ENV", "GCONV_PATH"]));
  });
});
