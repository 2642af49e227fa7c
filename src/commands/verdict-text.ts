/** What plan, verify and status say about the level and who vouches for the image. */

import { type Plan, type Signed, signedTime } from "../boot/index.ts";

/** @param computed the kernel holds no digest here */
export function levelText({ level, enforce }: Pick<Plan, "level" | "enforce">, computed = false): string {
  if (!enforce) return "none: NOT VERIFIED";
  const how = computed ? "to be enforced by the kernel that boots" : "enforced by the kernel";
  return level === "signed" ? `signed: by trusted keys, and ${how}` : `verity: ${how}`;
}

/** Nothing where nobody signed. */
export function signedRows(signed: Signed | undefined): (readonly [label: string, text: string])[] {
  if (signed === undefined) return [];
  const time = signedTime(signed);
  return [
    ["commit", signed.commit ?? "none: the bare digest was signed"],
    ...(time === undefined ? [] : [["made", time] as const]),
    ...signed.keys.map((key) => ["signed by", key] as const),
    ["origin", signed.origin],
  ];
}
