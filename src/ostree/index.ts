/**
 * OSTree's formats as far as trust needs them: GVariant, commits, detached metadata, Ed25519 signatures and keys. Pure:
 * bytes in, values out. Verification is in ed25519.ts and secret keys in secret-keys.ts; they are imported by name, since a boot
 * that checks no signature is not to load them.
 */
export { baseCommit, bytesEntry, type Commit, type CommitParts, MAX_COMMIT_BYTES, type MetadataEntry, objectId, parseCommit, writeCommit } from "./commit.ts";
export { appendSignature, type DetachedSignature, type DetachedSignatures, MAX_COMMITMETA_BYTES, MAX_SIGNATURES, parseSignatures, writeCommitMeta } from "./detached-metadata.ts";
export { type Plain, type Variant } from "./gvariant-write.ts";
export { dirmeta, emptyDirtree, objectPath, type OstreeObject } from "./objects.ts";
export { formatPublicKey, keyId, keyProblem, MAX_KEY_FILE_BYTES, parseKeyId, parsePublicKeys, PUBLIC_KEY_BYTES, toSpki, type TrustedKey } from "./public-keys.ts";
