/** What people write by hand, and what decides about a boot: the configuration in the initramfs and the kernel command line. */

import { deploymentTarget } from "../../src/boot/ostree-inputs.ts";
import { allValues, formatImageArgument, lastValue, MAX_COMMAND_LINE, parseImageArguments, splitCommandLine } from "../../src/cmdline-parser/index.ts";
import { parseBuildTime, parsePrepareRoot, parseSetupRootConfig } from "../../src/config/index.ts";
import { parseKeyFile } from "../../src/config/keyfile.ts";
import { must, refusal, type Target } from "./target.ts";

const utf8 = (...texts: readonly string[]): Uint8Array[] => texts.map((text) => new TextEncoder().encode(text));
const text = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

const DIGEST = "b5f4672db5a6ba2a2b68570a43b5afe4645b0554b97bf4da53b22e5f021a22e2";
const LEVELS: readonly unknown[] = ["none", "verity", "signed"];

/** What TOML itself makes of it: undefined when it is no TOML. */
function tomlTable(input: Uint8Array): object | undefined {
  try {
    return Bun.TOML.parse(text(input).replace(/^\ufeff/, ""));
  } catch {
    return undefined;
  }
}

const isKernelSpace = (byte: number): boolean => (byte >= 9 && byte <= 13) || byte === 0x20 || byte === 0xa0;

export const CONFIG_TARGETS: Readonly<Record<string, Target>> = {
  toml: {
    corpus: () => utf8(
      "[root]\ntransient = true\nsize = \"512M\"\ninodes = 100000\n[etc]\nmount = \"overlay\"\n[var]\nmount = 'bind'\n",
      "[trust]\nlevel = \"signed\"\nkeys = \"/usr/lib/composefs/keys\"\nthreshold = 1\nrevoked = []\nnot-before = 2026-11-01T00:00:00Z\n",
      `trust = { level = "signed", keys = ["/a", "/b"], threshold = 2, revoked = ["${DIGEST}"], not-before = 1767323045 }\n`,
      "trust.level = 'verity'\ntrust.insecure-argument = true\n[etc]\ntransient = true\nsize = \"20%\"\n",
      "[turst]\nlevel = \"signed\"\n",
      "",
    ),
    words: [
      "[trust]\n", "level = \"signed\"\n", "level = \"none\"\n", "keys = ", "threshold = ", "revoked = ", "not-before = ", "insecure-argument = true\n", "trust.", "\"build\"", "[root]\n", "[etc]\n", "[[trust]]\n",
      "transient = true\n", "mount = ", "size = ", "inodes = ", "\"\"\"", "'''", "[", "]", "{", "}", "=", "\n", "\r\n", "#", "\\u0000", "\\U0010ffff", "inf", "nan", "0x7fffffffffffffff", "-0", "1e400", "1979-05-27T07:32:00Z", "1979-05-27",
    ],
    try: (input) => {
      let found: ReturnType<typeof parseSetupRootConfig> | undefined;
      const code = refusal(() => (found = parseSetupRootConfig(input, "f")));
      must(code === undefined || code === "SR-E101", `code ${code}`);
      if (found === undefined) return;
      const { policy: { trust, etc, var: variable }, warnings } = found;
      for (const { mount } of [etc, variable]) must(mount === undefined || ["none", "bind", "overlay", "transient"].includes(mount), `mount ${mount}`);
      must(warnings.length <= 64 && warnings.every(({ line }) => line === undefined || line >= 1), "warnings");
      const table = tomlTable(input);
      must((table !== undefined && Object.hasOwn(table, "trust")) === (trust !== undefined), "a [trust] table that is there is not passed over");
      if (trust === undefined) return;
      must(LEVELS.includes(trust.level) && Number.isInteger(trust.threshold) && trust.threshold >= 1, "level and threshold");
      must([...trust.keys, ...trust.revoked].every((item) => typeof item === "string" && item !== ""), "keys and revoked");
      must(trust.level !== "signed" || trust.insecureArgument !== true, "`?` at level signed");
    },
  },
  keyfile: {
    corpus: () => utf8(
      "[composefs]\nenabled = signed\nkeypath=/etc/ostree/initramfs-root-binding.key\n[sysroot]\nreadonly = true\n",
      "# comment\n[composefs]\r\nenabled=verity\r\n[root]\r\ntransient = true\r\n[etc]\ntransient=false\n",
      "[composefs]\nenabled = maybe\n[root]\ntransient-ro=1\n",
      "2026-11-01T00:00:00Z\n",
      "[composefs]\nenabled = no\nkeypath = a\\sb\\tc\\\\\n[composefs]\nenabled = yes\n",
      "",
    ),
    words: ["[composefs]\n", "[root]\n", "[etc]\n", "[sysroot]\n", "enabled=", "enabled = signed\n", "keypath=", "transient=", "transient-ro=", "readonly=", "true", "1", "signed", "verity", "maybe", "=", "[", "]", "\n", "\r", "\\s", "\\", "#", ";", "\ufeff", "\u00a0"],
    try: (input) => {
      // the other small file beside it
      let builtAt: number | undefined;
      const third = refusal(() => (builtAt = parseBuildTime(input, "f")));
      must(third === undefined || third === "SR-E246", `code ${third}`);
      must(builtAt === undefined || `${new Date(builtAt * 1000).toISOString().slice(0, 19)}Z\n` === text(input), "another point in time than is written");
      const code = refusal(() => parseKeyFile(input, "f"));
      must(code === undefined || code === "SR-E101", `code ${code}`);
      let found: ReturnType<typeof parsePrepareRoot> | undefined;
      const second = refusal(() => (found = parsePrepareRoot(input, "f")));
      must(second === undefined || second === "SR-E101", `code ${second}`);
      must(code === undefined || second === code, "what is no key file is no prepare-root.conf");
      if (found === undefined) return;
      must(["no", "maybe", "yes", "verity", "signed"].includes(found.composefs), `enabled = ${found.composefs}`);
      must(!found.rootReadOnly || found.rootTransient, "read-only without being transient");
      // a file that says nothing of the kind asks for nothing
      must(found.composefs === "no" || /enabled/.test(text(input)), "a level that nobody wrote");
    },
  },
  cmdline: {
    corpus: () => utf8(
      `quiet rd.luks=0 composefs.digest=v1-sha256-12:${DIGEST} ro`,
      `composefs=?${DIGEST} composefs=${DIGEST}${DIGEST}`,
      `composefs.digest=?v2-sha512-12:${DIGEST}${DIGEST} composefs.digest=v9-sha1024-13:00`,
      `"composefs=${DIGEST}" a="b c" -- composefs.digest="v1-sha256-12:${DIGEST}"`,
      "ostree=/ostree/boot.1/anchor/test/0 ostree.prepare-root.composefs=signed",
      "androidboot.slot_suffix=_b ostree=/x systemd.volatile=state init=/sbin/init",
      "root=UUID=x \"ostree=/ostree/boot.0/a b/0\"\n",
    ),
    words: ["composefs=", "composefs.digest=", "?", "v1-sha256-12:", "v2-sha512-12:", DIGEST, "\"", " ", "\t", "\v", "\u00a0", "--", "ostree=", "ostree.prepare-root.composefs=", "androidboot.slot_suffix=_a", "androidboot.x", "systemd.volatile=", "=", "-", "_", "\0", "\ufeff", "'", "\\"],
    try: (input) => {
      if (input.length > MAX_COMMAND_LINE) return must(parseImageArguments(input).candidates.length === 0, "a line that is too long names an image");
      const tokens = splitCommandLine(input);
      const nul = input.indexOf(0);
      const end = nul < 0 ? input.length : nul;
      let at = 0;
      for (const { offset, length, raw } of tokens) {
        must(offset >= at && length > 0 && offset + length <= end, "an argument that is not where it says");
        must(input.subarray(at, offset).every(isKernelSpace), "bytes between arguments");
        must(raw === text(input.subarray(offset, offset + length)), "an argument as written");
        at = offset + length;
      }
      must(input.subarray(at, end).every(isKernelSpace), "bytes behind the last argument");
      const { candidates, skipped } = parseImageArguments(input);
      must(new Set(candidates.map(({ digest }) => digest)).size === candidates.length, "a digest twice");
      for (const candidate of candidates) {
        must(candidate.digest.length === (candidate.algorithm === "sha256" ? 64 : 128) && /^[0-9a-f]+$/.test(candidate.digest), "a digest");
        const { offset: _, text: __, ...again } = parseImageArguments(formatImageArgument(candidate)).candidates[0] ?? candidate;
        must(Bun.deepEquals({ ...candidate, ...again }, candidate), "an argument is not read back");
      }
      must(skipped.every(({ explanation }) => explanation !== ""), "no explanation");
      for (const key of ["systemd.volatile", "init"]) must(allValues(tokens, key).at(-1) === lastValue(tokens, key), "the last value");
      const { argument, target } = deploymentTarget(tokens);
      must(target === undefined || (argument !== undefined && !target.startsWith("/")), "a path from the top");
    },
  },
};
