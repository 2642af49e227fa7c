/** Recipes: what the presets say, what is kept, and that a record is read back as it was, or refused. */

import { describe, expect, test } from "bun:test";
import { formatRecipe, mkcomposefsRecipe, parseRecipe, presetOf, PRESETS, type Recipe, RECIPE_LIMIT } from "../../../src/directory/index.ts";
import { keepsXattr } from "../../../src/directory/recipe.ts";
import { SealrootError } from "../../../src/errors/index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const refusal = (text: string): string => {
  try {
    parseRecipe(bytes(text), "file");
  } catch (error) {
    if (error instanceof SealrootError && error.code === "SR-E526") return error.details.find(([label]) => label === "found")?.[1] ?? "";
    throw error;
  }
  return "";
};

describe("records", () => {
  for (const [name, recipe] of Object.entries(PRESETS)) {
    test(`${name} is read back, and known by its rules whatever its hash`, () => {
      const other: Recipe = { ...recipe, algorithm: "sha256", format: "v2" };
      expect(parseRecipe(bytes(formatRecipe(other)), "file")).toEqual(other);
      expect(presetOf(other) as string).toBe(name);
    });
  }

  test("are canonical: names sorted, no white space, a newline", () => {
    expect(formatRecipe(PRESETS["composefs-rs-boot"])).toBe(
      '{"algorithm":"sha512","devices":"keep","emptied":[{"name":"boot","required":true,"time":"usr-seconds"},{"name":"run","required":false,"time":"usr"},'
      + '{"name":"sysroot","required":true,"time":"usr-seconds"}],"format":"v1","hardLinks":"keep","inlineLimit":64,"root":"usr","selinux":"policy","times":"source","version":1,'
      + '"xattrs":["security.capability"]}\n');
  });

  test("with anything unknown or wrong are refused", () => {
    const good = JSON.parse(formatRecipe(PRESETS.mkcomposefs)) as Record<string, unknown>;
    const changed = (change: Record<string, unknown>): string => JSON.stringify({ ...good, ...change });
    expect(refusal("")).toBe("not JSON");
    expect(refusal("[]")).toBe("not a JSON object");
    expect(refusal(changed({ version: 2 }))).toContain("version");
    expect(refusal(changed({ later: true }))).toContain('"later"');
    for (const change of [{ format: "v3" }, { algorithm: "md5" }, { xattrs: "some" }, { xattrs: [1] }, { times: 0 }, { root: "/" }, { devices: true }, { hardLinks: null }, { selinux: "none" },
      { emptied: {} }, { emptied: [{ name: "a/b", required: true, time: "usr" }] }, { emptied: [{ name: "", required: true, time: "own" }] }, { inlineLimit: -1 }, { inlineLimit: 0.5 }, { inlineLimit: 5000 }]) {
      expect(refusal(changed(change)), JSON.stringify(change)).not.toBe("");
    }
    expect(refusal(" ".repeat(RECIPE_LIMIT + 1))).toContain("more than");
  });
});

describe("rules", () => {
  test("of mkcomposefs's options", () => {
    const options = { useEpoch: false, skipDevices: false, skipXattrs: false, userXattrs: false };
    expect(mkcomposefsRecipe(options)).toEqual(PRESETS.mkcomposefs);
    expect(mkcomposefsRecipe({ ...options, useEpoch: true, skipDevices: true, skipXattrs: true })).toEqual({ ...PRESETS.mkcomposefs, times: "epoch", devices: "skip", xattrs: "none" });
    expect(mkcomposefsRecipe({ ...options, userXattrs: true }).xattrs).toEqual(["user."]);
  });

  test("for extended attributes", () => {
    const kept = (recipe: Recipe): string[] => ["security.capability", "security.capabilityX", "security.selinux", "user.a", "trusted.overlay.opaque"].filter((name) => keepsXattr(recipe, name));
    expect(kept(PRESETS.mkcomposefs)).toHaveLength(5);
    expect(kept(PRESETS["composefs-rs"])).toEqual(["security.capability"]);
    expect(kept({ ...PRESETS["composefs-rs"], xattrs: ["security.capability", "user."] })).toEqual(["security.capability", "user.a"]);
    expect(kept({ ...PRESETS.mkcomposefs, xattrs: "none" })).toEqual([]);
    expect(kept({ ...PRESETS.mkcomposefs, selinux: "policy" })).not.toContain("security.selinux");
  });
});
