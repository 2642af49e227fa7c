/** `sealroot sign`: signs a commit or a bare image digest, or takes a signature that was made elsewhere. */

import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { isTerminal, writeAll } from "../linux/index.ts";
import { MAX_COMMIT_BYTES, objectId, parseCommit } from "../ostree/index.ts";
import { verifySignature } from "../ostree/ed25519.ts";
import { sign } from "../ostree/secret-keys.ts";
import { commitDirectory } from "../repository/commits.ts";
import { type CommandHelp, parseArguments, type ParsedArguments, printable } from "../terminal/index.ts";
import { digestMessage } from "../trust/digest-message.ts";
import { attachToCommit, attachToDigest, type Attached } from "./attach.ts";
import { parseDigest } from "./image-digest.ts";
import { aboutFile, readInputFile } from "./input-file.ts";
import { outputStyle, print, printJson } from "./output.ts";
import { repositoryDirectory } from "./repository-directory.ts";
import { readPublicKey, readSecretKey, readSignature } from "./signing-key.ts";

export const help: CommandHelp = {
  name: "sign",
  operands: "[COMMIT]",
  operandCount: [0, 1],
  summary: "Sign a commit, or the bare digest of an image, with Ed25519.",
  description:
    "COMMIT is a file, as sealroot commit or ostree writes it; its signatures lie beside it, in <name>.commitmeta, and more are added\n" +
    "to those that are there. For a key that cannot leave its place, an HSM or a KMS: --print-payload gives the bytes to sign (pure\n" +
    "Ed25519, no hash before it), --attach takes the signature, and refuses it unless it is valid.",
  options: {
    key: { kind: "value", value: "FILE", help: "private key: PEM with PKCS#8, or OSTree's base64 of 64 bytes" },
    digest: { kind: "value", value: "DIGEST", help: "sign this image digest, without a commit; it carries no date" },
    repo: { kind: "value", value: "DIR", help: "composefs repository in which the signature of --digest goes" },
    out: { kind: "value", value: "FILE", help: "where the signature of --digest goes instead" },
    "print-payload": { kind: "flag", help: "print the bytes that are to be signed, and sign nothing" },
    hex: { kind: "flag", help: "with --print-payload: in hex" },
    attach: { kind: "value", value: "FILE", help: "take this signature: 64 bytes, raw, in hex or in base64" },
    "public-key": { kind: "value", value: "FILE", help: "with --attach: the key that made it" },
    "key-id": { kind: "value", value: "ID", help: "with --attach: which key of that file" },
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot sign --key release.key /sysroot/composefs/commits/3d0e…/91ab….commit", "with a key in a file"],
    ["sealroot sign --print-payload 91ab….commit > payload; … ; sealroot sign --attach payload.sig --public-key release.pub 91ab….commit", "with a key elsewhere"],
    ["sealroot sign --key release.key --digest v1-sha256-12:3d0e… --repo /sysroot/composefs", "without a commit"],
  ],
};

const refuse = (summary: string): SealrootError => new SealrootError("SR-E100", { summary, next: "see: sealroot sign --help" });

/** What is signed, and how a signature is kept with it. */
interface Subject {
  readonly payload: Uint8Array;
  readonly facts: Readonly<Record<string, string>>;
  readonly attach: (signature: Uint8Array, keyId: string) => Attached;
}

/** The id that a commit's file name states, in a directory of commits or among an OSTree repository's objects. */
function statedId(path: string): string | undefined {
  const [, parent = "", name = ""] = /(?:^|\/)(?:([0-9a-f]{2})\/)?([0-9a-f]{62,64})\.commit$/.exec(path) ?? [];
  return name.length === 64 ? name : parent !== "" && name.length === 62 ? `${parent}${name}` : undefined;
}

/** @throws SealrootError SR-E225, SR-E226, SR-E229, SR-E603: nothing is signed that a boot would not accept as a commit */
function commitSubject(path: string): Subject {
  const payload = readInputFile(path, MAX_COMMIT_BYTES);
  aboutFile(path, () => parseCommit(payload));
  const id = objectId(payload);
  const stated = statedId(path);
  if (stated !== undefined && stated !== id) throw new SealrootError("SR-E226", { details: [["file", path], ["found", `the bytes of commit ${id}`]] });
  return { payload, facts: { commit: id }, attach: (signature, keyId) => attachToCommit(path, signature, keyId) };
}

function digestSubject(text: string, parsed: ParsedArguments): Subject {
  const { algorithm, digest } = parseDigest(text, "sign");
  const [repo, out] = [parsed.value("repo"), parsed.value("out")];
  if (!parsed.flag("print-payload") && (repo === undefined) === (out === undefined)) throw refuse("--repo or --out says where the signature goes: one of them");
  const repository = repo === undefined ? undefined : repositoryDirectory(repo);
  return {
    payload: digestMessage(algorithm, digest),
    facts: { digest: `${algorithm}:${digest}` },
    attach: (signature, keyId) => attachToDigest(repository === undefined ? (out ?? "") : join(repository, commitDirectory(digest), `${keyId}.ed25519`), signature),
  };
}

function subjectOf(parsed: ParsedArguments): Subject {
  const [path] = parsed.operands;
  const digest = parsed.value("digest");
  if ((path === undefined) === (digest === undefined)) throw refuse("a commit or --digest says what is signed: one of them");
  if (path !== undefined && (parsed.value("repo") !== undefined || parsed.value("out") !== undefined)) throw refuse("--repo and --out are for --digest; a commit's signatures lie beside it");
  return path === undefined ? digestSubject(digest ?? "", parsed) : commitSubject(path);
}

function printPayload(payload: Uint8Array, hex: boolean): void {
  if (!hex && isTerminal(1)) throw refuse("the payload is bytes and standard output a terminal: --hex, or send it to a file");
  const bytes = hex ? new TextEncoder().encode(`${payload.toHex()}\n`) : payload;
  try {
    writeAll({ fd: 1, label: "standard output" }, bytes);
  } catch (error) {
    // half a payload must not pass for a whole one
    throw new SealrootError("SR-E236", { details: [["file", "standard output"]], cause: error });
  }
}

/** The signature and who made it, made here or elsewhere. @throws SealrootError SR-E224 when one made elsewhere is not valid */
function obtain(parsed: ParsedArguments, payload: Uint8Array): { readonly signature: Uint8Array; readonly keyId: string } {
  const [key, attach, publicKey] = [parsed.value("key"), parsed.value("attach"), parsed.value("public-key")];
  if ((key === undefined) === (attach === undefined)) throw refuse("--key signs, --attach takes a signature, --print-payload prints what to sign: one of them");
  if (key !== undefined) {
    if (publicKey !== undefined || parsed.value("key-id") !== undefined) throw refuse("--public-key and --key-id are for --attach");
    const secret = readSecretKey(key);
    const signature = sign(secret, payload);
    secret.seed.fill(0);
    return { signature, keyId: secret.id };
  }
  if (publicKey === undefined) throw refuse("--attach needs --public-key: the signature is verified before it is kept");
  const trusted = readPublicKey(publicKey, parsed.value("key-id"));
  const signature = readSignature(attach ?? "");
  if (!verifySignature(trusted.publicKey, payload, signature)) {
    throw new SealrootError("SR-E224", {
      details: [["file", attach ?? ""], ["key", trusted.id], ["payload", `${payload.length} bytes, sha256:${objectId(payload)}`]],
      meaning: "it was not made by this key over these bytes; a key's keeper may have signed a hash of them instead (Ed25519ph)",
      next: "sign exactly what sealroot sign --print-payload prints, with pure Ed25519",
    });
  }
  return { signature, keyId: trusted.id };
}

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const printsPayload = parsed.flag("print-payload");
  const keys = ["key", "attach", "public-key", "key-id"].filter((name) => parsed.value(name) !== undefined);
  if (printsPayload && (keys.length > 0 || parsed.flag("json"))) throw refuse(`--print-payload signs nothing: leave out ${keys.length > 0 ? `--${keys.join(", --")}` : "--json"}`);
  if (parsed.flag("hex") && !printsPayload) throw refuse("--hex is for --print-payload");
  const subject = subjectOf(parsed);
  if (printsPayload) {
    printPayload(subject.payload, parsed.flag("hex"));
    return 0;
  }
  const { signature, keyId } = obtain(parsed, subject.payload);
  const { path, added, signatures } = subject.attach(signature, keyId);
  if (parsed.flag("json")) {
    printJson({ ...subject.facts, keyId, file: path, added, signatures });
    return 0;
  }
  const style = outputStyle();
  const rows = [...Object.entries(subject.facts), ["signed by", keyId], ["file", `${printable(path)}${added ? "" : "  (this signature was in it already)"}`]] as const;
  print(`${rows.map(([label, text]) => `${style.bold(label.padEnd(9))}  ${text}`).join("\n")}\n`);
  return 0;
}
