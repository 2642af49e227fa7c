/**
 * Two policies as one: the [trust] table of setup-root-conf.toml, and what prepare-root.conf with its argument asks for. The
 * level is the higher one; where both ask for signatures, the table says whose.
 */

import type { TrustLevel, TrustPolicy } from "./policy.ts";
import type { ComposefsWish } from "./prepare-root.ts";

const RANK: Readonly<Record<TrustLevel, number>> = { none: 0, verity: 1, signed: 2 };

/** OSTree's wish as a [trust] table; undefined where it asks for nothing that has to be verified. */
export function trustOfWish(wish: ComposefsWish, keyPath: string): TrustPolicy | undefined {
  if (wish !== "verity" && wish !== "signed") return undefined;
  return { level: wish, keys: wish === "signed" ? [keyPath] : [], threshold: 1, revoked: [], notBefore: undefined, insecureArgument: false };
}

/**
 * The higher level, with everything else that the table says. Where both ask for signatures, the table's keys count alone: with the
 * keys of both, one more key could sign than either file says.
 */
export function stricterTrust(table: TrustPolicy | undefined, wished: TrustPolicy | undefined): TrustPolicy | undefined {
  if (table === undefined || wished === undefined) return table ?? wished;
  return {
    ...table,
    level: RANK[wished.level] > RANK[table.level] ? wished.level : table.level,
    keys: wished.level === "signed" && table.level !== "signed" ? wished.keys : table.keys,
    insecureArgument: table.insecureArgument && wished.insecureArgument,
  };
}
