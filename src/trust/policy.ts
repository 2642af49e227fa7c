/**
 * The one policy that a boot is judged by: what the [trust] table, prepare-root.conf and the kernel command line come to together.
 * Each of them can raise what is asked for, none can lower what another one asks for.
 *
 * Where both files ask for signatures, both have to be satisfied, each by its own keys: with the keys of one in the place of the
 * other's, or of both together, an image could be booted that one of the two forbids.
 */

import type { ComposefsWish, PrepareRootConfig, TrustLevel, TrustTable } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";

/** Who has to have signed. */
export interface Requirement {
  /** Who asks, for people: TABLE, a file, or an argument. */
  readonly source: string;
  /** Files, and directories of files, of public keys. */
  readonly keys: readonly string[];
  /** How many distinct keys must have signed; at least 1. */
  readonly threshold: number;
}

export interface TrustPolicy {
  readonly level: TrustLevel;
  /** Who asks for that level, for people. */
  readonly source?: string;
  /** At level "signed" at least one, below it none; one commit has to meet all of them. */
  readonly requirements: readonly Requirement[];
  /** Ids of keys that count for no requirement, or such keys in base64. */
  readonly revoked: readonly string[];
  /** Nothing signed as older than this is accepted; Unix seconds. */
  readonly notBefore: number | undefined;
  /** Where that comes from, for people. */
  readonly notBeforeSource?: string | undefined;
  /** Whether `?` on the kernel command line may switch verity off. Never true where anything asks for verity or more, but for a [trust] table of level "verity" that says so. */
  readonly insecureArgument: boolean;
}

/** What the files and the command line say. */
export interface Said {
  readonly table: TrustTable | undefined;
  /** As raised by the command line: raiseWish(). */
  readonly wish: ComposefsWish;
  /** Who says so, for people: a file or an argument. Default PREPARE_ROOT. */
  readonly wishSource?: string | undefined;
  /** OSTree's keys; only looked at for the wish "signed". */
  readonly keyPath: string;
  /** When the initramfs was built, in Unix seconds; undefined when it does not say. Needed where asksForSignatures(). */
  readonly builtAt: number | undefined;
}

export const TABLE = "[trust]";
const PREPARE_ROOT = "prepare-root.conf";

const LEVELS: Readonly<Record<TrustLevel, number>> = { none: 0, verity: 1, signed: 2 };
const WISHES: Readonly<Record<ComposefsWish, number>> = { no: 0, maybe: 1, yes: 2, verity: 3, signed: 4 };

/** The higher one. OSTree lets the argument lower what its file says, and an initramfs that asks for signatures then boots what nobody signed. */
export const raiseWish = (configured: ComposefsWish, asked: ComposefsWish): ComposefsWish => (WISHES[asked] > WISHES[configured] ? asked : configured);

/**
 * Two prepare-root.conf as one: the second replaces the first, as OSTree has it; but not its level, since a file that is there for
 * something else would switch signatures off.
 */
export function replacePrepareRoot(first: PrepareRootConfig, second: PrepareRootConfig): PrepareRootConfig {
  const composefs = raiseWish(second.composefs, first.composefs);
  const source = composefs === second.composefs ? second.source : first.source;
  return { ...second, composefs, source, keyPath: second.composefs !== "signed" && composefs === "signed" ? first.keyPath : second.keyPath };
}

const levelOf = (wish: ComposefsWish): TrustLevel => (wish === "verity" || wish === "signed" ? wish : "none");

export const asksForSignatures = ({ table, wish }: Pick<Said, "table" | "wish">): boolean => table?.level === "signed" || wish === "signed";

/**
 * 1. The level is the higher one.
 * 2. At level "signed" each side that asks for signatures is a requirement of its own.
 * 3. Threshold, revoked keys and the floor are the table's and hold for all, whatever its level: else a table that asks for more
 *    could let more pass. The floor is the later of what the table says and what the
 *    initramfs was built with; where the table asks for the latter and there is none, nothing is booted.
 * 4. `?` may switch verity off only where the table lets it, by default at level "none", and OSTree's file asks for no verity.
 *
 * @returns undefined: there is no [trust] table and nothing asks for verity; trust is as composefs-setup-root has it
 * @throws SealrootError SR-E246; SR-E231 for a table of level "signed" that names no keys
 */
export function policyOf({ table, wish, wishSource = PREPARE_ROOT, keyPath, builtAt }: Said): TrustPolicy | undefined {
  const wished = levelOf(wish);
  if (table === undefined && wished === "none") return undefined;
  const level = table !== undefined && LEVELS[table.level] > LEVELS[wished] ? table.level : wished;
  const requirements: Requirement[] = [];
  // OSTree's first: the first signer's key file is the one that /run/ostree-booted names
  if (wished === "signed") requirements.push({ source: wishSource, keys: [keyPath], threshold: table?.threshold ?? 1 });
  if (table?.level === "signed") {
    if (table.keys.length === 0) throw new SealrootError("SR-E231", { details: [["policy", `${TABLE} names no keys`]] });
    requirements.push({ source: TABLE, keys: table.keys, threshold: table.threshold });
  }
  const floor = level === "signed" ? floorOf(table?.notBefore, builtAt) : undefined;
  return {
    level,
    source: [...(table?.level === level ? [TABLE] : []), ...(wished === level && wished !== "none" ? [wishSource] : [])].join(" and "),
    requirements,
    revoked: table?.revoked ?? [],
    notBefore: floor?.notBefore,
    notBeforeSource: floor?.source,
    insecureArgument: wished === "none" && table !== undefined && level !== "signed" && (table.insecureArgument ?? table.level === "none"),
  };
}

function floorOf(said: TrustTable["notBefore"], builtAt: number | undefined): { readonly notBefore: number; readonly source: string } | undefined {
  if (said === "build" && builtAt === undefined) throw new SealrootError("SR-E246", { details: [["policy", 'not-before = "build" in [trust]'], ["found", "the initramfs does not say when it was built"]] });
  if (typeof said === "number" && said >= (builtAt ?? said)) return { notBefore: said, source: `not-before in ${TABLE}` };
  return builtAt === undefined ? undefined : { notBefore: builtAt, source: "the initramfs says when it was built" };
}

/** Whether anything less than verity is refused. */
export const demandsVerity = (policy: TrustPolicy | undefined): policy is TrustPolicy => policy !== undefined && policy.level !== "none";

/**
 * What is asked of an OSTree deployment: that it has an image; or that its image is booted if it has one; or nothing, and then the
 * deployment is left to OSTree's own program.
 */
export function judgeWish(policy: TrustPolicy | undefined, wish: ComposefsWish): "image" | "image if there is one" | "nothing" {
  if (demandsVerity(policy) || WISHES[wish] >= WISHES.yes) return "image";
  return wish === "maybe" ? "image if there is one" : "nothing";
}
