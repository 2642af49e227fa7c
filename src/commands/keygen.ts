/** `sealroot keygen`: an Ed25519 key pair. */

import { statSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { formatPublicKey, toSpki } from "../ostree/index.ts";
import { formatSecretKeyOstree, formatSecretKeyPem, generateSecretKey } from "../ostree/secret-keys.ts";
import { type CommandHelp, parseArguments, printable } from "../terminal/index.ts";
import { outputStyle, print, printJson } from "./output.ts";
import { type OutputFile, writeAll } from "./output-file.ts";

export const help: CommandHelp = {
  name: "keygen",
  summary: "Make an Ed25519 key pair for signing images.",
  description:
    "Writes three files: NAME.key, the private key, readable by its owner only; NAME.pub, the public key as a line of base64,\n" +
    "which the policy and OSTree read; NAME.pem, the same as PEM, which OpenSSL reads. Never overwrites a file.\n" +
    "The key id is the SHA-256 of the public key as DER: openssl pkey -pubin -in NAME.pem -outform DER | sha256sum.",
  options: {
    out: { kind: "value", value: "PATH", help: "the files' name without ending; in a directory, sealroot-signing" },
    format: { kind: "value", value: "NAME", help: "of the private key: pem (PKCS#8, default) or ostree (base64 of 64 bytes)" },
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot keygen --out release-2026", "release-2026.key, release-2026.pub, release-2026.pem"],
    ["sealroot keygen --out /root/keys/ --json | jq -r .keyId", "the id that a policy's revoked would name"],
  ],
};

const DEFAULT_NAME = "sealroot-signing";

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return path.endsWith("/");
  }
}

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const out = parsed.value("out");
  const format = parsed.value("format") ?? "pem";
  const see = "see: sealroot keygen --help";
  if (out === undefined || out === "") throw new SealrootError("SR-E100", { summary: "--out says where the keys go, and is missing", next: see });
  if (format !== "pem" && format !== "ostree") throw new SealrootError("SR-E100", { summary: `there is no key format "${format}"`, next: see });
  const name = isDirectory(out) ? join(out, DEFAULT_NAME) : out;
  const secret = generateSecretKey();
  const [privateFile, publicFile, pemFile] = [`${name}.key`, `${name}.pub`, `${name}.pem`];
  const file = (path: string, text: string, permissions: number): OutputFile => ({ path, bytes: new TextEncoder().encode(text), permissions });
  writeAll([
    file(privateFile, format === "pem" ? formatSecretKeyPem(secret) : formatSecretKeyOstree(secret), 0o600),
    file(publicFile, `${formatPublicKey(secret.publicKey)}\n`, 0o644),
    file(pemFile, `-----BEGIN PUBLIC KEY-----\n${toSpki(secret.publicKey).toBase64()}\n-----END PUBLIC KEY-----\n`, 0o644),
  ]);
  secret.seed.fill(0);
  if (parsed.flag("json")) {
    printJson({ keyId: secret.id, publicKey: formatPublicKey(secret.publicKey), files: { private: privateFile, public: publicFile, pem: pemFile } });
    return 0;
  }
  const style = outputStyle();
  print([
    `${style.bold("key id ")}  ${secret.id}`,
    `${style.bold("private")}  ${printable(privateFile)}  ${style.dim("(keep it off the machines that boot)")}`,
    `${style.bold("public ")}  ${printable(publicFile)}, ${printable(pemFile)}`,
    "",
  ].join("\n"));
  return 0;
}
