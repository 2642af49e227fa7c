/**
 * What lies in a composefs repository that may speak for an image: `commits/<image digest>/` with commits, their detached
 * metadata and signatures of the bare digest; and the commits of imported OSTree streams.
 */

import { type Descriptor, readAt } from "../linux/index.ts";
import { EvidenceFiles, type Limits, type Opened, type Place, type Problem, type StoredCommit, type StoredSignature } from "./evidence-files.ts";
import { list, openFile, type Repository, unreadable } from "./repository.ts";
import { commitIn, MAX_UNPACKED, type ReadPart, streamNaming } from "./stream-commit.ts";

export interface Found {
  readonly commits: readonly StoredCommit[];
  readonly signatures: readonly StoredSignature[];
  readonly problems: readonly Problem[];
  readonly places: readonly Place[];
  /** Whether everything of the image's own was read; not so where there is more of it than anyone has. */
  readonly complete: boolean;
}

/** Names read of a directory. */
const MAX_NAMES = 65536;
/** Files read for one image, and streams opened: more than anyone has. */
const MAX_FILES = 65;
const MAX_STREAMS = 1024;
/** Bytes read of a signature file; that it must have 64 is for whoever judges it. */
const SIGNATURE_LIMIT = 4096;

export const COMMITS = "commits";
export const commitDirectory = (digest: string): string => `${COMMITS}/${digest}`;

/**
 * `commits/<image digest>/`: `<commit id>.commit` with `.commitmeta` beside it, and `<key id>.ed25519`. The smallest commits are read first,
 * so that large ones do not take the place of one that, with its metadata, has no more than 1 MiB.
 */
export function commitsOf({ directory }: Repository, digest: string, limits: Limits): Found {
  const files = new EvidenceFiles(directory);
  const path = commitDirectory(digest);
  const commits: StoredCommit[] = [];
  const signatures: StoredSignature[] = [];
  const listing = files.guarded(files.label(path), () => list(directory, path, MAX_NAMES));
  let named = 0;
  using held = new DisposableStack();
  const opened: { readonly id: string; readonly commit: Opened; readonly commitmeta: Opened | undefined }[] = [];
  for (const name of listing?.names ?? []) {
    const [, id = "", kind] = /^([0-9a-f]{64})\.(commit|ed25519)$/.exec(name) ?? [];
    if (kind === undefined) continue;
    if (++named > MAX_FILES) {
      files.note("SR-E229", files.label(path), `more than ${MAX_FILES - 1} commits and signatures`);
      files.exceeded = true;
      break;
    }
    if (kind === "ed25519") {
      const bytes = files.read(`${path}/${name}`, SIGNATURE_LIMIT);
      if (bytes !== undefined) signatures.push({ keyId: id, bytes, origin: files.label(`${path}/${name}`) });
      continue;
    }
    const commit = files.open(`${path}/${name}`, limits.commit, held);
    if (commit === undefined) continue;
    const commitmeta = files.open(`${path}/${id}.commitmeta`, limits.commitmeta, held);
    opened.push({ id, commit, commitmeta });
  }
  const size = ({ commit, commitmeta }: (typeof opened)[number]): number => commit.size + (commitmeta?.size ?? 0);
  for (const { id, commit, commitmeta } of opened.toSorted((a, b) => size(a) - size(b))) {
    const bytes = files.readOpen(commit, limits.commit);
    if (bytes === undefined) continue;
    commits.push({ id, bytes, commitmeta: commitmeta === undefined ? undefined : files.readOpen(commitmeta, limits.commitmeta), origin: commit.file.label });
  }
  if (listing?.complete === false) {
    files.note("SR-E229", files.label(path), `more than ${MAX_NAMES} files`);
    files.exceeded = true;
  }
  const counted = count(commits.length, "commit", signatures.length, files.problems.length);
  return { commits, signatures, problems: files.problems, places: [{ path: files.label(path), found: listing === undefined && files.problems.length === 0 ? "not there" : counted }], complete: !files.exceeded };
}

function count(commits: number, what: string, signatures: number, problems: number): string {
  const some = (number: number, name: string): string[] => (number === 0 ? [] : [`${number} ${name}${number === 1 ? "" : "s"}`]);
  const parts = [...some(commits, what), ...some(signatures, "signature"), ...(problems === 0 ? [] : [`${problems} that cannot be used`])];
  return parts.length === 0 ? "nothing" : parts.join(", ");
}

/** Bytes of all streams together, read and unpacked: a boot is not to spend its time on what somebody else has written. */
const MAX_UNPACKED_TOTAL = 2 * MAX_UNPACKED;

const STREAM = /^ostree-commit-([0-9a-f]{64})$/;
/** The stream that composefs-rs imports a commit as, in `streams/`. @param id of the commit, hex */
export const commitStream = (id: string): string => `ostree-commit-${id}`;

/**
 * The commits of OSTree streams that name this image. Their import keeps no detached metadata, so that is looked for in
 * `commits/<image digest>/`, by the commit's id.
 * @param known ids of commits that were found already
 */
export function commitsOfStreams({ directory }: Repository, digest: string, limits: Limits, known: ReadonlySet<string>): Found {
  const files = new EvidenceFiles(directory);
  const commits: StoredCommit[] = [];
  const path = "streams";
  const listing = files.guarded(files.label(path), () => list(directory, path, MAX_NAMES));
  let opened = 0;
  const left = { bytes: MAX_UNPACKED_TOTAL };
  for (const name of listing?.names ?? []) {
    const id = STREAM.exec(name)?.[1];
    if (id === undefined || known.has(id)) continue;
    if (++opened > MAX_STREAMS || commits.length >= MAX_FILES || left.bytes <= 0) {
      files.note("SR-E229", files.label(path), "more commits than can be looked through", true);
      break;
    }
    const origin = files.label(`${path}/${name}`);
    using file = files.guarded(origin, () => openFile(directory, `${path}/${name}`), true);
    if (file === undefined) continue;
    const read = partsOf(file);
    const stream = files.guarded(origin, () => streamNaming(read, digest, left), true);
    if (stream === undefined) continue;
    const bytes = files.guarded(origin, () => {
      const commit = commitIn(read, stream, id, limits.commit, left);
      files.spend(commit.length);
      return commit;
    });
    if (bytes !== undefined) commits.push({ id, bytes, commitmeta: files.read(`${commitDirectory(digest)}/${id}.commitmeta`, limits.commitmeta), origin });
  }
  if (listing?.complete === false) files.note("SR-E229", files.label(path), `more than ${MAX_NAMES} files`, true);
  const found = listing === undefined && files.problems.length === 0 ? "not there" : count(commits.length, "OSTree commit", 0, files.problems.length);
  // other images' streams are most of what is there, so that many of them are nothing unusual
  return { commits, signatures: [], problems: files.problems, places: [{ path: files.label(`${path}/ostree-commit-*`), found }], complete: true };
}

const partsOf = (file: Descriptor): ReadPart => ({ start, end }) => {
  try {
    return readAt(file, start, end - start);
  } catch (error) {
    throw unreadable(file.label, error);
  }
};
