import { describe, expect, test } from "bun:test";
import { stricterTrust, type TrustPolicy, trustOfWish } from "../../../src/config/index.ts";

const table = (change: Partial<TrustPolicy>): TrustPolicy => ({ level: "none", keys: [], threshold: 1, revoked: [], notBefore: undefined, insecureArgument: true, ...change });
const KEY = "/etc/ostree/initramfs-root-binding.key";

describe("a wish as a policy", () => {
  test("only verity and signed ask for anything", () => {
    for (const wish of ["no", "maybe", "yes"] as const) expect(trustOfWish(wish, KEY)).toBeUndefined();
    expect(trustOfWish("verity", KEY)).toMatchObject({ level: "verity", keys: [], insecureArgument: false });
    expect(trustOfWish("signed", KEY)).toMatchObject({ level: "signed", keys: [KEY], insecureArgument: false });
  });
});

describe("two policies as one", () => {
  const levels = ["none", "verity", "signed"] as const;

  test("the level is the higher one, from either side; `?` is allowed by neither once one asks for verity", () => {
    for (const [index, level] of levels.entries()) {
      for (const [other, wish] of [["no", "none"], ["verity", "verity"], ["signed", "signed"]].entries()) {
        const both = stricterTrust(table({ level, insecureArgument: level !== "signed" }), trustOfWish(wish[0] as "no" | "verity" | "signed", KEY));
        expect(both?.level).toBe(levels[Math.max(index, other)] ?? "none");
        if (other > 0) expect(both?.insecureArgument).toBe(false);
      }
    }
  });

  test("one alone stays as it is", () => {
    expect(stricterTrust(undefined, undefined)).toBeUndefined();
    expect(stricterTrust(table({ level: "verity" }), undefined)).toEqual(table({ level: "verity" }));
    expect(stricterTrust(undefined, trustOfWish("signed", KEY))).toEqual(trustOfWish("signed", KEY));
  });

  test("keys are the table's where it asks for signatures, never those of both", () => {
    const signed = trustOfWish("signed", KEY);
    expect(stricterTrust(table({ level: "signed", keys: ["/mine"], threshold: 2, insecureArgument: false }), signed)).toMatchObject({ keys: ["/mine"], threshold: 2 });
    expect(stricterTrust(table({ level: "verity", keys: ["/idle"], revoked: ["ab"], notBefore: 5 }), signed)).toMatchObject({ level: "signed", keys: [KEY], revoked: ["ab"], notBefore: 5 });
    expect(stricterTrust(table({ level: "signed", keys: ["/mine"] }), trustOfWish("verity", KEY))).toMatchObject({ level: "signed", keys: ["/mine"] });
  });
});
