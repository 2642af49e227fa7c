/**
 * meta.json of a composefs repository: version, hash algorithm, feature flags (composefs-rs, repository format 1). Pure.
 *
 * It lies on the disk and nothing authenticates it, so it can only make us refuse: it says what kind of repository this is,
 * never how much to trust it.
 */

import { SealrootError } from "../errors/index.ts";

export interface RepositoryMeta {
  readonly version: number;
  readonly algorithm: "sha256" | "sha512";
  /** Features that a writer must know and a reader need not; listed in reports. */
  readonly readOnlyCompatible: readonly string[];
  /** EROFS format of images that are made here; undefined where this version cannot tell, and so must not make any. */
  readonly format: "v0" | "v1" | "v2" | undefined;
}

const FORMATS = ["v0", "v1", "v2"] as const;

const SUPPORTED_VERSION = 1;
export const META_LIMIT = 64 * 1024;

const refuse = (path: string, problem: string): SealrootError => new SealrootError("SR-E202", { details: [["file", path], ["found", problem]] });

/** A value as the file has it, cut to what a console line bears: the whole file may be one value. */
function quote(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function strings(value: unknown): readonly string[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return undefined;
  const items: unknown[] = value;
  return items.every((item): item is string => typeof item === "string") ? items : undefined;
}

/** @throws SealrootError SR-E202 */
export function parseMeta(bytes: Uint8Array, path: string): RepositoryMeta {
  if (bytes.byteLength >= META_LIMIT) throw refuse(path, `${META_LIMIT} bytes or more`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw refuse(path, "not JSON");
  }
  if (!isRecord(parsed)) throw refuse(path, "not a JSON object");
  const { version, algorithm, features = {} } = parsed;
  if (typeof version !== "number" || !Number.isInteger(version) || version < 1) throw refuse(path, `version ${quote(version)}`);
  if (version > SUPPORTED_VERSION) throw refuse(path, `version ${version}; this sealroot knows ${SUPPORTED_VERSION}`);
  const known = typeof algorithm === "string" ? /^fsverity-(sha256|sha512)-12$/.exec(algorithm) : null;
  const hash = known?.[1];
  if (hash !== "sha256" && hash !== "sha512") throw refuse(path, `algorithm ${quote(algorithm)}`);
  if (!isRecord(features)) throw refuse(path, "features is not an object");
  const incompatible = strings(features["incompatible"]);
  const readOnlyCompatible = strings(features["read-only-compatible"]);
  if (incompatible === undefined || readOnlyCompatible === undefined) throw refuse(path, "features are not lists of names");
  if (incompatible.length > 0) throw refuse(path, `incompatible features ${quote(incompatible)}, which this sealroot does not know`);
  return { version, algorithm: hash, readOnlyCompatible, format: formatOf(parsed["erofs_formats"], readOnlyCompatible) };
}

/**
 * As composefs-rs reads it (FormatConfig): `{"default": n, "extra": [...]}`. Where it is absent, or says what absent stands for, the older
 * feature flag decides. Who only reads images needs none of it, so that nonsense here keeps nobody from booting.
 */
function formatOf(value: unknown, features: readonly string[]): RepositoryMeta["format"] {
  const legacy = features.includes("v1_erofs") ? "v1" : "v2";
  if (value === undefined) return legacy;
  if (!isRecord(value)) return undefined;
  const known = (format: unknown): format is 0 | 1 | 2 => format === 0 || format === 1 || format === 2;
  const { default: main, extra = [] } = value;
  if (!known(main) || !Array.isArray(extra) || !extra.every(known)) return undefined;
  return main === 2 && extra.length === 0 ? legacy : FORMATS[main];
}
