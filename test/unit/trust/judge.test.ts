import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { judge, judgeAbsence, judgeEnforcement, judgeTestRoot, type Measurement, type TrustPolicy, type Verdict } from "../../../src/trust/index.ts";

const A = "a1".repeat(32);
const B = "b2".repeat(32);
const L = "c3".repeat(64);

const make = (level: TrustPolicy["level"], insecureArgument: boolean): TrustPolicy => ({
  level, insecureArgument, requirements: level === "signed" ? [{ source: "[trust]", keys: [], threshold: 1 }] : [], revoked: [], notBefore: undefined,
});

const policies = {
  "no table": undefined,
  "none, ? allowed": make("none", true),
  "none, ? refused": make("none", false),
  "verity, ? allowed": make("verity", true),
  "verity, ? refused": make("verity", false),
  "signed, ? refused": make("signed", false),
  // the parser never makes this one; the judge holds all the same
  "signed, ? allowed": make("signed", true),
} as const;
type PolicyName = keyof typeof policies;

const measurements = {
  "the digest": { kind: "digest", algorithm: "sha256", digest: A },
  "another digest": { kind: "digest", algorithm: "sha256", digest: B },
  "another algorithm": { kind: "digest", algorithm: "sha512", digest: L },
  "same hex, other algorithm": { kind: "digest", algorithm: "sha512", digest: A },
  "no verity": { kind: "no-verity" },
  ENOTTY: { kind: "unsupported", errno: "ENOTTY" },
  EOPNOTSUPP: { kind: "unsupported", errno: "EOPNOTSUPP" },
  EIO: { kind: "unsupported", errno: "EIO" },
} as const satisfies Record<string, Measurement>;
type MeasurementName = keyof typeof measurements;

/** A verdict in one word: `verity` and `verity or less` are enforced; `unverified`; or the code of the refusal. */
function word(verdict: Verdict): string {
  if (!verdict.allowed) return verdict.code;
  expect(verdict.enforce).toBe(verdict.level === "verity");
  return verdict.level === "none" ? "unverified" : verdict.enforceOptional ? "verity or less" : "verity";
}

type Row = Record<MeasurementName, string>;
const all = (what: string): Row => Object.fromEntries(Object.keys(measurements).map((name) => [name, what])) as Row;

/** Without `?`: nothing but the digest, measured, will do. */
const strict: Row = {
  "the digest": "verity", "another digest": "SR-E210", "another algorithm": "SR-E210", "same hex, other algorithm": "SR-E210",
  "no verity": "SR-E211", ENOTTY: "SR-E212", EOPNOTSUPP: "SR-E212", EIO: "SR-E212",
};
/** With a `?` that counts: a missing fs-verity is tolerated, a wrong digest and a failing call are not. */
const lenient: Row = { ...strict, "the digest": "verity or less", "no verity": "unverified", ENOTTY: "unverified", EOPNOTSUPP: "unverified" };

const expected: Record<PolicyName, readonly [without: Row, withMark: Row]> = {
  "no table": [strict, lenient],
  "none, ? allowed": [strict, lenient],
  "none, ? refused": [strict, all("SR-E106")],
  "verity, ? allowed": [strict, lenient],
  "verity, ? refused": [strict, all("SR-E106")],
  // with the digest right it is the evidence that decides, and here is none: see signed.test.ts
  "signed, ? refused": [{ ...strict, "the digest": "SR-E107" }, all("SR-E106")],
  "signed, ? allowed": [{ ...strict, "the digest": "SR-E107" }, all("SR-E106")],
};

const names = Object.keys(policies) as PolicyName[];
const kinds = Object.keys(measurements) as MeasurementName[];

describe("judge", () => {
  for (const name of names) {
    for (const insecure of [false, true]) {
      for (const kind of kinds) {
        const outcome = expected[name][insecure ? 1 : 0][kind];
        test(`${name}; argument ${insecure ? "with" : "without"} ?; measured: ${kind} → ${outcome}`, () => {
          const verdict = judge({ policy: policies[name], argument: { algorithm: "sha256", digest: A, insecure }, measured: measurements[kind] });
          expect(word(verdict)).toBe(outcome);
          expect(verdict.reasons.length).toBeGreaterThan(0);
        });
      }
    }
  }

  test("a mismatch says what was expected and what was found", () => {
    const verdict = judge({ policy: undefined, argument: { algorithm: "sha256", digest: A, insecure: true }, measured: measurements["another algorithm"] });
    expect(verdict).toMatchObject({ expected: `sha256:${A}`, found: `sha512:${L}` });
  });

  test("sha512 likewise", () => {
    expect(word(judge({ policy: undefined, argument: { algorithm: "sha512", digest: L, insecure: false }, measured: measurements["another algorithm"] }))).toBe("verity");
  });
});

/** How much a verdict lets pass, least to most. Refusing is the least. */
const permissiveness = (verdict: Verdict): number => ["verity", "verity or less", "unverified"].indexOf(word(verdict)) + 1;

describe("properties", () => {
  const policy = fc.constantFrom(...names).map((name) => policies[name]);
  const digest = fc.constantFrom(A, B);
  const measured: fc.Arbitrary<Measurement> = fc.oneof(
    fc.record({ kind: fc.constant("digest" as const), algorithm: fc.constantFrom("sha256" as const, "sha512" as const), digest }),
    fc.record({ kind: fc.constant("no-verity" as const) }),
    fc.record({ kind: fc.constant("unsupported" as const), errno: fc.oneof(fc.constantFrom("ENOTTY", "EOPNOTSUPP", "EIO", "hash algorithm 3"), fc.string()) }),
  );
  const argument = fc.record({ algorithm: fc.constantFrom("sha256" as const, "sha512" as const), digest, insecure: fc.boolean() });

  test("`?` never raises the level, nor makes verity more binding", () => {
    fc.assert(fc.property(policy, argument, measured, (p, a, m) => {
      const without = judge({ policy: p, argument: { ...a, insecure: false }, measured: m });
      const withMark = judge({ policy: p, argument: { ...a, insecure: true }, measured: m });
      if (without.allowed && withMark.allowed) expect(permissiveness(withMark)).toBeGreaterThanOrEqual(permissiveness(without));
      if (!without.allowed && withMark.allowed) expect(withMark.level).toBe("none");
    }), { numRuns: 1000 });
  });

  test("no argument gets below the policy: without leave for `?`, an allowed boot is enforced verity", () => {
    fc.assert(fc.property(policy, argument, measured, (p, a, m) => {
      const verdict = judge({ policy: p, argument: a, measured: m });
      if (p?.level === "signed") expect(verdict.allowed).toBe(false);
      if (p !== undefined && !p.insecureArgument && verdict.allowed) expect(word(verdict)).toBe("verity");
      if (!a.insecure && verdict.allowed) expect(word(verdict)).toBe("verity");
      // and whatever is said, a digest that was measured is the one that was named
      if (verdict.allowed && m.kind === "digest") expect(`${m.algorithm}:${m.digest}`).toBe(`${a.algorithm}:${a.digest}`);
    }), { numRuns: 1000 });
  });

  test("adding a table to the configuration never lets more pass than none", () => {
    fc.assert(fc.property(policy, argument, measured, (p, a, m) => {
      const base = permissiveness(judge({ policy: undefined, argument: a, measured: m }));
      expect(permissiveness(judge({ policy: p, argument: a, measured: m }))).toBeLessThanOrEqual(base);
    }), { numRuns: 1000 });
  });

  test("a kernel that cannot enforce: refused, or level none where `?` counts", () => {
    fc.assert(fc.property(policy, argument, measured, fc.boolean(), (p, a, m, kernelEnforces) => {
      const verdict = judge({ policy: p, argument: a, measured: m });
      if (!verdict.allowed) return;
      const settled = judgeEnforcement(verdict, kernelEnforces);
      if (kernelEnforces || !verdict.enforce) expect(settled).toBe(verdict);
      else if (word(verdict) === "verity") expect(settled).toMatchObject({ allowed: false, code: "SR-E302" });
      else expect(settled).toMatchObject({ allowed: true, level: "none", enforce: false, enforceOptional: false });
    }), { numRuns: 1000 });
  });
});

describe("without an image", () => {
  test.each(names)("%s", (name) => {
    const demanding = name.startsWith("verity") || name.startsWith("signed");
    expect(judgeAbsence(policies[name])).toMatchObject(demanding ? { allowed: false, code: "SR-E102" } : { allowed: true });
    expect(judgeTestRoot(policies[name])).toMatchObject(demanding ? { allowed: false, code: "SR-E108" } : { allowed: true });
  });
});
