/**
 * The [trust] table. Here a mistake must not pass: everywhere else an unknown key costs a convenience,
 * here `treshold = 2` would quietly ask for one signature and `[turst]` for none. The file and the
 * program travel in the same initramfs, so there is no newer file to be lenient with. Hence an error, not a
 * warning, for an unknown key in [trust], for a missing `level`, for a table whose name is [trust] misspelt,
 * and for a key of [trust] that stands in another place, however deep in a table that nothing here knows.
 */

import type { Document } from "./document.ts";
import { isTable } from "./locate.ts";
import { distance, suggestion } from "./names.ts";
import type { ConfigWarning, TrustLevel, TrustTable } from "./policy.ts";
import { describe, problem, Section } from "./section.ts";
import { LATEST_TIME } from "./time.ts";

const TRUST_KEYS = ["level", "keys", "threshold", "revoked", "not-before", "insecure-argument"];
const LEVELS: readonly TrustLevel[] = ["none", "verity", "signed"];

/** @returns undefined if there is no [trust] table. @throws SealrootError SR-E101 */
export function readTrust(document: Document, warnings: ConfigWarning[]): TrustTable | undefined {
  if (!Object.hasOwn(document.root, "trust")) return undefined;
  const section = new Section(document, "trust", warnings);
  for (const key of section.unknownKeys(TRUST_KEYS)) {
    throw section.refuse(key, `there is no ${JSON.stringify(key)} in [trust]`, `${TRUST_KEYS.join(", ")}${suggestion(key, TRUST_KEYS)}`);
  }
  const level = section.choice("level", LEVELS);
  if (level === undefined) throw section.refuse(undefined, "[trust] says no level", `level = ${LEVELS.map((name) => JSON.stringify(name)).join(", ")}`);
  const insecureArgument = section.boolean("insecure-argument");
  // a file that contradicts itself: only here is it known which line says so
  if (level === "signed" && insecureArgument === true) {
    throw section.refuse("insecure-argument", 'level = "signed" and insecure-argument = true contradict each other', "one of them, not both");
  }
  return {
    level,
    keys: section.strings("keys") ?? [],
    threshold: section.integer("threshold", 1, 1000, "a whole number of at least 1") ?? 1,
    revoked: readRevoked(section),
    notBefore: readTime(section, "not-before"),
    insecureArgument,
  };
}

/** Read only where a key is revoked: it brings the reading of keys with it. */
const parseKeyId: typeof import("../ostree/index.ts").parseKeyId = (text) => (require("../ostree/index.ts") as typeof import("../ostree/index.ts")).parseKeyId(text);

/** At any level: a typo here must not wait for the day on which the key that it means is used. @returns key ids */
const readRevoked = (section: Section): readonly string[] =>
  (section.strings("revoked") ?? []).map((text) => {
    const id = parseKeyId(text);
    if (id === undefined) throw section.wrong("revoked", "key ids (64 hex digits) or keys in base64", describe(text));
    return id;
  });

/** Seconds since 1970, UTC. A date without an offset from UTC is no point in time and is refused. */
function readTime(section: Section, key: string): TrustTable["notBefore"] {
  const value = section.value(key);
  if (value === "build") return value;
  const seconds = value instanceof Temporal.Instant ? Math.floor(value.epochMilliseconds / 1000) : value;
  if (seconds === undefined) return undefined;
  if (typeof seconds === "number" && Number.isInteger(seconds) && seconds >= 0 && seconds <= LATEST_TIME) return seconds;
  throw section.wrong(key, 'a date and time with its offset, such as 2026-11-01T00:00:00Z, seconds since 1970, or "build"');
}

/** Refuses an unknown name that was probably meant as (part of) [trust], and such names in what it stands for. `path` is where it stands. */
export function refuseMisplacedTrust(document: Document, path: readonly string[]): void {
  const value = path.reduce<unknown>((table, key) => (isTable(table) && Object.hasOwn(table, key) ? table[key] : undefined), document.root);
  // no recursion, and no path that is copied at each step: thousands of tables can stand in each other
  const left: Place[] = [{ name: path.at(-1) ?? "", value, up: undefined }];
  for (let place = left.pop(); place !== undefined; place = left.pop()) {
    const below: string[] = [];
    if (isMisplaced(place.name)) {
      for (let at: Place | undefined = place; at?.up !== undefined; at = at.up) if (!Array.isArray(at.up.value)) below.unshift(at.name);
      refuseName(document, [...path, ...below]);
    }
    const { name, value: inside } = place;
    if (Array.isArray(inside)) for (const item of inside.toReversed() as unknown[]) left.push({ name, value: item, up: place });
    else if (isTable(inside)) for (const key of Object.keys(inside).toReversed()) left.push({ name: key, value: inside[key], up: place });
  }
}

/** A name, what it stands for, and the table or array that it is in. */
interface Place {
  readonly name: string;
  readonly value: unknown;
  readonly up: Place | undefined;
}

const isMisplaced = (name: string): boolean => distance(name, "trust", 2) <= 2 || TRUST_KEYS.some((key) => distance(name, key, 0) === 0);

function refuseName(document: Document, path: readonly string[]): never {
  const name = path.at(-1) ?? "";
  if (distance(name, "trust", 2) <= 2) {
    throw problem(document, path, `${JSON.stringify(name)} is probably meant as [trust]`, "[trust], spelt so and not inside another table; or another name for something else");
  }
  throw problem(document, path, `${JSON.stringify(name)} belongs in [trust]`, `${name} below a line [trust]`);
}
