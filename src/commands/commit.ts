/** `sealroot commit`: writes an OSTree commit that names an image, for `sealroot sign` to sign. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { objectId, objectPath, type OstreeObject } from "../ostree/index.ts";
import { commitDirectory } from "../repository/commits.ts";
import { type CommandHelp, parseArguments, printable } from "../terminal/index.ts";
import { commitBytes, imagesOf, ROOT_DIRECTORY } from "./commit-parts.ts";
import { outputStyle, print, printError, printJson } from "./output.ts";
import { writeAll } from "./output-file.ts";
import { ostreeObjectsDirectory, repositoryDirectory } from "./repository-directory.ts";

export const help: CommandHelp = {
  name: "commit",
  summary: "Write a commit that names an image, with version and time.",
  description:
    "A commit is an OSTree commit object whose metadata names the image's fs-verity digest, as composefs.digest.<descriptor>. Its id\n" +
    "is the SHA-256 of its bytes, which sealroot sign signs. The time is SOURCE_DATE_EPOCH where that is set and --timestamp is not.",
  options: {
    digest: { kind: "value", value: "DIGEST", repeat: true, help: "the image: hex digits (of format v1), or v1-sha256-12:<hex>; one of each format" },
    image: { kind: "value", value: "FILE", repeat: true, help: "the image, whose digest is computed" },
    descriptor: { kind: "value", value: "NAME", help: "format of --image (default v1-sha256-12)" },
    version: { kind: "value", value: "TEXT", help: "the release, for people" },
    timestamp: { kind: "value", value: "TIME", help: "seconds since 1970, or a date and time with its offset (default now)" },
    subject: { kind: "value", value: "TEXT", help: "one line about it" },
    body: { kind: "value", value: "TEXT", help: "more about it" },
    parent: { kind: "value", value: "ID", help: "the commit before it" },
    "add-metadata": { kind: "value", value: "KEY=VALUE", repeat: true, help: "a string of your own" },
    repo: { kind: "value", value: "DIR", help: "composefs repository: the commit goes where a boot looks for it" },
    "ostree-repo": { kind: "value", value: "DIR", help: "OSTree repository: the commit and its empty root directory become objects there" },
    out: { kind: "value", value: "FILE", help: "write it there" },
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot commit --image system.erofs --version 44.1 --repo /sysroot/composefs", "then: sealroot sign --key release.key with the path that it prints"],
    ["sealroot commit --digest v1-sha256-12:3d0e… --timestamp 2026-11-01T00:00:00Z --out system.commit", "the same bytes each time"],
  ],
};

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const [repo, ostreeRepo, out] = [parsed.value("repo"), parsed.value("ostree-repo"), parsed.value("out")];
  if (repo === undefined && ostreeRepo === undefined && out === undefined) {
    throw new SealrootError("SR-E100", { summary: "--repo, --ostree-repo or --out says where the commit goes, and all are missing", next: "see: sealroot commit --help" });
  }
  // what can be refused is refused before the first file is written
  const repository = repo === undefined ? undefined : repositoryDirectory(repo);
  const objects = ostreeRepo === undefined ? undefined : ostreeObjectsDirectory(ostreeRepo);
  const images = imagesOf(parsed, (text) => printError(`sealroot: ${printable(text)}\n`));
  const bytes = commitBytes(parsed, images);
  const id = objectId(bytes);

  const commit: OstreeObject = { id, bytes, extension: "commit" };
  // in an OSTree repository the commit last: it must not be there without what it refers to
  const inOstree = objects === undefined ? [] : [ROOT_DIRECTORY.tree, ROOT_DIRECTORY.meta, commit].map((object) => ({ path: join(objects, objectPath(object.id, object.extension)), object }));
  const targets = [
    ...(out === undefined ? [] : [{ path: out, object: commit }]),
    ...(repository === undefined ? [] : images.map(({ digest }) => ({ path: join(repository, commitDirectory(digest), `${id}.commit`), object: commit }))),
    ...inOstree,
  ];
  writeAll(targets.map(({ path, object }) => ({ path, bytes: object.bytes, permissions: 0o644, makeDirectory: path !== out })));
  const files = targets.filter(({ object }) => object === commit).map(({ path }) => path);
  const absent = repository === undefined ? [] : images.filter(({ digest }) => !existsSync(join(repository, "images", digest)));
  for (const { digest } of absent) printError(`sealroot: ${printable(repository ?? "")} has no image ${digest} yet\n`);
  if (parsed.flag("json")) {
    printJson({ commit: id, images: images.map(({ descriptor, digest }) => ({ descriptor, digest })), files });
    return 0;
  }
  const style = outputStyle();
  print([
    `${style.bold("commit")}  ${id}`,
    ...images.map(({ descriptor, digest }) => `${style.bold("image ")}  ${descriptor}:${digest}`),
    ...files.map((path) => `${style.bold("file  ")}  ${printable(path)}`),
    "",
  ].join("\n"));
  return 0;
}
