/**
 * The arguments that name the image to boot:
 *
 *     composefs.digest=[?]v<1|2>-<sha256|sha512>-12:<hex>    EROFS format, hash, log2 of the block size
 *     composefs=[?]<hex>                                     the hash follows from the length
 *
 * `?` makes fs-verity optional. Whether that is allowed is not decided here.
 *
 * - Several are alternatives, in order. One that cannot be read never hides another.
 * - The image is found by its digest alone, so a digest appears once. If it is named with and without
 *   `?`, the argument without it is kept, in the place of the first: an argument may ask for more,
 *   never take back what another asked for. (composefs-setup-root would take the first.)
 * - Hex digits may be upper case and are turned into lower case, as bootc does: both spell the same
 *   digest, and file names in a repository are in lower case.
 */

import { MAX_COMMAND_LINE, splitCommandLine, type Token } from "./split.ts";

/** What an image argument says, without where it stood. */
export type ImageArgumentParts = {
  readonly algorithm: "sha256" | "sha512";
  /** Base-2 logarithm of the fs-verity block size in bytes. */
  readonly blockSizeLog2: 12;
  /** fs-verity digest of the image, lower-case hex, 64 or 128 digits. */
  readonly digest: string;
  /** The argument carries `?`: fs-verity may be missing. */
  readonly insecure: boolean;
} & (
  | { readonly key: "composefs.digest"; readonly version: 1 | 2 }
  // bootc writes `composefs=` for both EROFS formats, so it says nothing about the version.
  | { readonly key: "composefs"; readonly version: undefined }
);

export type ImageArgument = ImageArgumentParts & {
  /** The argument as written. */
  readonly text: string;
  /** Where it begins, in bytes. */
  readonly offset: number;
};

export interface SkippedArgument {
  readonly text: string;
  readonly offset: number;
  /** "unknown": well-formed, of a version, hash or block size not known here. "malformed": wrong. */
  readonly reason: "unknown" | "malformed";
  /** Why, as a clause that can follow the text. */
  readonly explanation: string;
}

export interface ImageArguments {
  readonly candidates: ImageArgument[];
  readonly skipped: SkippedArgument[];
}

const HEX_DIGITS = { sha256: 64, sha512: 128 } as const;

type Outcome = ImageArgumentParts | Pick<SkippedArgument, "reason" | "explanation">;
const malformed = (explanation: string): Outcome => ({ reason: "malformed", explanation });
const unknown = (explanation: string): Outcome => ({ reason: "unknown", explanation });
const clip = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
const digits = (count: number): string => `${count} hex digit${count === 1 ? "" : "s"}`;

/** Never throws: a command line that is too long has no candidates and says so in `skipped`. */
export function parseImageArguments(commandLine: string | Uint8Array | readonly Token[]): ImageArguments {
  const candidates: ImageArgument[] = [];
  const skipped: SkippedArgument[] = [];
  const placeOf = new Map<string, number>();
  let tokens: readonly Token[];
  try {
    tokens = isTokens(commandLine) ? commandLine : splitCommandLine(commandLine);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { candidates, skipped: [{ text: "", offset: MAX_COMMAND_LINE, reason: "malformed", explanation: error.message }] };
  }

  for (const token of tokens) {
    const outcome = parseToken(token);
    if (outcome === undefined) continue;
    const where = { text: token.raw, offset: token.offset };
    if ("reason" in outcome) {
      skipped.push({ ...where, ...outcome });
      continue;
    }
    const place = placeOf.get(outcome.digest);
    if (place === undefined) {
      placeOf.set(outcome.digest, candidates.length);
      candidates.push({ ...where, ...outcome });
    } else if (candidates[place]?.insecure === true && !outcome.insecure) {
      candidates[place] = { ...where, ...outcome };
    }
  }
  return { candidates, skipped };
}

const isTokens = (input: string | Uint8Array | readonly Token[]): input is readonly Token[] => Array.isArray(input);

function parseToken({ key, value, raw, openQuote }: Token): Outcome | undefined {
  if (key !== "composefs.digest" && key !== "composefs") {
    if (!openQuote || !/\scomposefs(\.digest)?=/.test(raw)) return undefined;
    return malformed("a double quote before it is never closed, so it is part of another argument");
  }
  if (value === undefined || value === "") return malformed("it has no value");
  const insecure = value.startsWith("?");
  const rest = insecure ? value.slice(1) : value;
  return key === "composefs" ? parseShort(rest, insecure) : parseDescribed(rest, insecure);
}

function parseShort(hex: string, insecure: boolean): Outcome {
  const wrong = notHex(hex);
  if (wrong !== undefined) return malformed(wrong);
  const algorithm = hex.length === HEX_DIGITS.sha256 ? "sha256" : "sha512";
  if (hex.length !== HEX_DIGITS[algorithm]) {
    return malformed(`the digest has ${digits(hex.length)}, expected are ${HEX_DIGITS.sha256} (sha256) or ${HEX_DIGITS.sha512} (sha512)`);
  }
  return { key: "composefs", version: undefined, algorithm, blockSizeLog2: 12, digest: hex.toLowerCase(), insecure };
}

function parseDescribed(text: string, insecure: boolean): Outcome {
  const [versionText = ""] = text.split("-", 1);
  const version = versionText === "v1" ? 1 : versionText === "v2" ? 2 : undefined;
  // What a later version looks like after its number is not for this one to judge.
  if (version === undefined && /^v[0-9]{1,9}$/.test(versionText)) return unknown(`EROFS format version ${versionText} is not known here`);

  const colon = text.indexOf(":");
  if (colon < 0) return malformed('a ":" between the format and the digest is missing');
  const format = text.slice(0, colon);
  const parts = /^v[12]-([a-z0-9]+)-([0-9]+)$/.exec(format);
  const [, algorithm, blockSize] = parts ?? [];
  if (version === undefined || algorithm === undefined || blockSize === undefined) {
    return malformed(`the format ${clip(format)} is not of the form v1-sha256-12`);
  }
  if (algorithm !== "sha256" && algorithm !== "sha512") return unknown(`the hash algorithm ${clip(algorithm)} is not known here`);
  if (blockSize !== "12") return unknown(`block size 2^${blockSize.slice(0, 9)} is not known here`);

  const hex = text.slice(colon + 1);
  const wrong = notHex(hex);
  if (wrong !== undefined) return malformed(wrong);
  if (hex.length !== HEX_DIGITS[algorithm]) {
    return malformed(`the ${algorithm} digest has ${digits(hex.length)}, expected are ${HEX_DIGITS[algorithm]}`);
  }
  return { key: "composefs.digest", version, algorithm, blockSizeLog2: 12, digest: hex.toLowerCase(), insecure };
}

function notHex(text: string): string | undefined {
  const wrong = /[^0-9a-fA-F]/u.exec(text);
  if (wrong === null) return undefined;
  if (wrong[0] === "?") return '"?" stands in the digest; its place is directly after "="';
  return `${clip(wrong[0])} at position ${wrong.index + 1} of the digest is not a hex digit`;
}

/** The argument as it is written on a command line; parseImageArguments() reads it back unchanged. */
export function formatImageArgument(argument: ImageArgumentParts): string {
  const { key, version, algorithm, blockSizeLog2, digest, insecure } = argument;
  const mark = insecure ? "?" : "";
  return key === "composefs" ? `${key}=${mark}${digest}` : `${key}=${mark}v${version}-${algorithm}-${blockSizeLog2}:${digest}`;
}
