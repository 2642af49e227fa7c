/**
 * 130 runs of ostree-prepare-root (test/data/ostree/policy-matrix.json): configurations, kernel arguments, states of the disk. Each is
 * decided here, from reading the configuration to the verdict, and must come out as it did there, but for the lists below.
 */

import { describe, expect, test } from "bun:test";
import { decide, leftTo, readInputs } from "../../src/boot/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { layOut, optionsOf, type Run, RUNS } from "../support/matrix-disk.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

/** "composefs": mounted, nothing verified; "left": a deployment without composefs, which sealroot leaves to OSTree's program; or a code. */
function ours(run: Run): string {
  using directory = new TemporaryDirectory();
  const top = directory.path;
  layOut(top, run.name);
  try {
    const options = optionsOf(run, top);
    const inputs = readInputs(options);
    const other = leftTo(options, inputs);
    if (other !== undefined) return other === "ostree-prepare-root" ? "left" : other;
    using decision = decide(options, inputs);
    return decision.plan.level === "none" ? "composefs" : decision.plan.level;
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    // which of them rests with this machine's file system: the file has no fs-verity, or it knows none
    return error.code === "SR-E211" ? "SR-E212" : error.code;
  }
}

function peers({ root, verity_required: verity, run_ostree_booted: booted }: Run): string {
  if (root !== "composefs") return root === "bind" ? "left" : "fail";
  return booted?.["composefs.signed"] !== undefined ? "signed" : verity ? "verity" : "composefs";
}

/** Runs that fail here as they failed there: by what code. */
const FAILS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(["signed", "verity", "yes", "maybe", "no", "None"].map((conf) => [`policy conf=${conf} karg=`, "SR-E101"])),
  ...Object.fromEntries(["bogus", "empty value", "True", "SIGNED", "signed quoted", "signed trailing space", "signed comment", "syntax error"].map((what) => [`conf ${what}`, "SR-E101"])),
  both: "SR-E101", "sysroot.readonly=bogus": "SR-E101",
  "key missing": "SR-E230", "key missing karg=no": "SR-E230", "conf no karg signed key missing": "SR-E230", "keypath default present, other named": "SR-E230",
  "no ostree": "SR-E102",
  "ostree twice rev": "SR-E240", "ostree empty": "SR-E240", "androidboot slot b": "SR-E240", "androidboot slot bad": "SR-E240", "dangling link": "SR-E240",
  "no image, signed": "SR-E242", "no image, yes": "SR-E242", "no image, verity": "SR-E242",
  "image without fs-verity, signed": "SR-E212", "evil image, conf signed": "SR-E212", "image made with noverity, signed": "SR-E210",
  "image 100 bytes, yes": "SR-E213", "image junk, yes": "SR-E213",
  "commit object missing": "SR-E107", "commit is a symlink out of the sysroot": "SR-E204", "commit is a 2 GiB sparse file": "SR-E229",
  ...Object.fromEntries(["/", "/sys", "/etc", "/run", "/sysroot", "/proc/self/root", "/opt"].map((target) => [`deploy link -> ${target}`, "SR-E241"])),
  "deploy target is a directory": "SR-E241", "deploy dir named x": "SR-E241",
};

const NEVER_LOWER = "the argument can only raise the level";
const STAYS = "a second file does not take the level back";
const COMMIT_NAMES = "at level verity a commit has to name the image's own digest";
const IDS = "a commit's bytes have the id of its name, and a deployment's directory is named by it";

/** Runs that went further there: sealroot asks for more, or refuses. Each is in README's table of differences. */
const STRICTER: Readonly<Record<string, readonly [verdict: string, why: string]>> = {
  "policy conf=signed karg=yes": ["signed", NEVER_LOWER],
  "policy conf=signed karg=maybe": ["signed", NEVER_LOWER],
  "policy conf=signed karg=no": ["signed", NEVER_LOWER],
  "policy conf=verity karg=no": ["verity", NEVER_LOWER],
  "policy conf=yes karg=no": ["composefs", NEVER_LOWER],
  "policy conf=maybe karg=no": ["composefs", NEVER_LOWER],
  "karg twice no,signed": ["signed", NEVER_LOWER],
  "no image, conf signed karg=no": ["SR-E242", NEVER_LOWER],
  "usr-ovl, signed karg=yes": ["signed", NEVER_LOWER],
  "evil image, conf signed karg=yes": ["SR-E212", NEVER_LOWER],
  "evil image, conf signed karg=maybe": ["SR-E212", NEVER_LOWER],
  "usr signed, etc no": ["signed", STAYS],
  "usr signed, etc other section only": ["signed", STAYS],
  "usr signed, etc [composefs] other key": ["signed", STAYS],
  "image without fs-verity, verity": ["SR-E212", COMMIT_NAMES],
  "image made with noverity, verity": ["SR-E210", COMMIT_NAMES],
  "evil image, conf verity": ["SR-E212", COMMIT_NAMES],
  "swap: os2 signed commit stored as os1, image os2": ["SR-E250", IDS],
  "deployment and commit object named nothex": ["SR-E241", IDS],
  "karg inside quoted other": ["signed", "words and quotes are the kernel's: what stands within another argument's quotes is none"],
  "karg no value": ["SR-E101", "an argument without a value is not passed over"],
  "androidboot any": ["SR-E240", "the deployment that ostree= names, before a slot that nothing names"],
};

/** Runs that failed there and do not here. Nothing is verified less: the level is at least the configuration's. */
const WORKS: Readonly<Record<string, readonly [verdict: string, why: string]>> = {
  ...Object.fromEntries(["verity", "yes", "maybe", "no", "None"].map((conf) => [`policy conf=${conf} karg=signed`, ["signed", "the argument may raise the level; there it ended in an assertion"] as const])),
  "policy conf=signed karg=verity": ["signed", "verity is a value of the argument as well"],
  ...Object.fromEntries(["verity", "yes", "maybe", "no", "None"].map((conf) => [`policy conf=${conf} karg=verity`, ["verity", "verity is a value of the argument as well"] as const])),
  "karg quoted value": ["signed", "the kernel's quotes are no part of a value"],
  "ostree quoted": ["signed", "the kernel's quotes are no part of an argument"],
  "karg with tab": ["signed", "a tab separates arguments, as for the kernel"],
  "karg newline": ["signed", "a line feed separates arguments, as for the kernel"],
  "root.transient no composefs": ["left", "without composefs it is OSTree's own program that refuses"],
  "run/ostree exists already": ["signed", "a directory in /run that is there already is used"],
  "debian binary": ["signed", "Debian's build has no Ed25519"],
};

describe("each run", () => {
  test.each(RUNS.map((run) => [run.name, run] as const))("%s", (name, run) => {
    const peer = peers(run);
    const [expected] = STRICTER[name] ?? WORKS[name] ?? [peer === "fail" ? FAILS[name] : peer];
    expect(ours(run)).toBe(expected ?? "a verdict that is written down");
  });
});

test("the lists name differences and nothing else", () => {
  expect(RUNS.length).toBe(130);
  const peerOf = (name: string): string => {
    const run = RUNS.find((candidate) => candidate.name === name);
    return run === undefined ? "no such run" : peers(run);
  };
  expect(Object.entries(STRICTER).filter(([name, [verdict]]) => ["no such run", "fail", verdict].includes(peerOf(name)))).toEqual([]);
  expect([...Object.keys(WORKS), ...Object.keys(FAILS)].filter((name) => peerOf(name) !== "fail")).toEqual([]);
  expect(Object.keys(WORKS).filter((name) => Object.hasOwn(FAILS, name))).toEqual([]);
});

test("an image that somebody else made, with fs-verity: the digest is what refuses it", () => {
  const run = RUNS.find(({ name }) => name === "evil image, conf verity");
  if (run === undefined) throw new Error("no such run");
  for (const conf of ["verity", "signed"]) {
    using directory = new TemporaryDirectory();
    layOut(directory.path, run.name);
    const options = { ...optionsOf({ ...run, usr_lib_conf: `[composefs]\nenabled = ${conf}\n` }, directory.path), computeDigest: () => "66".repeat(32), trustComputed: "always" as const };
    expect(() => decide(options)).toThrow(expect.objectContaining({ code: "SR-E210" }));
  }
});
