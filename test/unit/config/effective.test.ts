import { describe, expect, test } from "bun:test";
import { effectiveMounts, type Layout, parseSetupRootConfig } from "../../../src/config/index.ts";

const mounts = (text: string, layout: Layout, volatile?: string): string => {
  const { etc, var: varMount } = effectiveMounts(parseSetupRootConfig(text, "conf").policy, layout, volatile);
  return `${etc.mount} ${varMount.mount}`;
};

describe("effectiveMounts", () => {
  test.each([
    ["composefs", undefined, "overlay bind"],
    ["bootc", undefined, "bind bind"],
    ["composefs", "state", "overlay none"],
    ["bootc", "state", "bind none"],
    ["composefs", "overlay", "overlay none"],
    ["bootc", "overlay", "bind none"],
    ["composefs", "yes", "overlay bind"],
    ["bootc", "", "bind bind"],
    ["bootc", "State", "bind bind"],
  ] as const)("defaults: layout %s, systemd.volatile %p", (layout, volatile, expected) => {
    expect(mounts("", layout, volatile)).toBe(expected);
    expect(mounts("[var]\ntransient = false", layout, volatile)).toBe(expected);
  });

  test.each([
    ['[var]\nmount = "bind"', "overlay bind"],
    ['[var]\nmount = "overlay"', "overlay overlay"],
    ["[var]\ntransient = true", "overlay transient"],
    ['[etc]\nmount = "none"\n[var]\nmount = "volatile"', "none transient"],
  ])("what the configuration says about /var wins over systemd.volatile: %j", (text, expected) => {
    for (const volatile of [undefined, "state", "overlay", "yes"]) expect(mounts(text, "composefs", volatile)).toBe(expected);
  });

  test("limits and reasons come along", () => {
    const { policy } = parseSetupRootConfig('[etc]\ntransient = true\nsize = "1M"\ninodes = 9', "conf");
    expect(effectiveMounts(policy, "bootc", "state")).toEqual({
      etc: { mount: "transient", limits: { size: "1048576", inodes: 9 }, reason: "set in the configuration" },
      var: { mount: "none", limits: { size: undefined, inodes: undefined }, reason: "left to systemd: systemd.volatile=state" },
    });
  });
});
