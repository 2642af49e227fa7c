/** What a check of a repository found, for programs and for people. */

import type { Deployed } from "../deployments/index.ts";
import type { Fsck } from "../repository/fsck.ts";
import type { LinkFindings, ProblemKind } from "../repository/fsck-links.ts";
import { printable, type Style } from "../terminal/index.ts";
import { formatBytes, formatCount } from "../terminal/progress.ts";
import type { Repaired } from "./fsck-repair.ts";
import { whoNeeds } from "./who-needs.ts";

export interface HurtReport {
  /** `images/<name>` or `streams/<name>` */
  readonly path: string;
  /** The object is the image or stream itself. */
  readonly whole: boolean;
  /** Some of its files with this content, and how many there are. */
  readonly files: readonly string[];
  readonly count: number;
  /** Deployments, boot entries and references that name it. */
  readonly neededBy: readonly string[];
}

export interface ObjectReport {
  readonly kind: "object";
  readonly path: string;
  readonly id: string;
  readonly fault: string;
  readonly found: string;
  readonly hurts: readonly HurtReport[];
}

export interface FsckReport {
  readonly ok: boolean;
  readonly summary: string;
  readonly quick: boolean;
  readonly image: string | null;
  readonly checked: { readonly objects: number; readonly present: number; readonly bytes: number; readonly measured: number; readonly images: number; readonly streams: number; readonly references: number };
  readonly problems: readonly (ObjectReport | { readonly kind: ProblemKind; readonly path: string; readonly found: string; readonly neededBy: readonly string[] })[];
  readonly repaired: readonly string[];
  readonly notRepaired: readonly { readonly path: string; readonly reason: string }[];
  readonly temporary: readonly string[];
  readonly foreign: readonly { readonly path: string; readonly found: string }[];
  readonly notes: readonly string[];
}

const some = (count: number, one: string, many = `${one}s`): string => `${formatCount(count)} ${count === 1 ? one : many}`;

export function reportOf(fsck: Fsck, links: LinkFindings, deployed: Deployed, repaired: Repaired | undefined, quick: boolean, image: string | undefined): FsckReport {
  const { objects, contents } = fsck;
  const images = contents.category("images");
  const neededBy = whoNeeds(contents, links.named, deployed);
  // of one image alone: what else was noticed in passing was not looked for
  const bad: ObjectReport[] = [...objects.bad].filter(([id]) => image === undefined || links.hurt.has(id)).sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, { fault, found }]) => ({
    kind: "object" as const,
    path: `objects/${id.slice(0, 2)}/${id.slice(2)}`,
    id,
    fault,
    found,
    hurts: (links.hurt.get(id) ?? []).map(({ path, whole, files, count }) => ({ path, whole, files, count, neededBy: neededBy(path) })),
  }));
  const others = links.problems.map((problem) => ({ ...problem, neededBy: neededBy(problem.path) }));
  const missing = bad.filter(({ fault }) => fault === "missing").length;
  const parts = [
    ...(bad.length - missing > 0 ? [some(bad.length - missing, "bad object")] : []),
    ...(missing > 0 ? [some(missing, "missing object")] : []),
    ...(others.length > 0 ? [some(others.length, "other fault")] : []),
  ];
  const known = new Set(images.links.map(({ name }) => name));
  const orphans = image === undefined ? contents.commitDirectories().filter((digest) => !known.has(digest)) : [];
  return {
    ok: parts.length === 0,
    summary: parts.length === 0 ? "no faults" : parts.join(", "),
    quick,
    image: image ?? null,
    checked: { objects: fsck.checked, present: objects.present.size, bytes: objects.bytes, measured: fsck.measured, images: links.images, streams: links.streams, references: links.references },
    problems: [...bad, ...others],
    repaired: repaired?.paths ?? [],
    notRepaired: repaired?.failed ?? [],
    temporary: repaired === undefined ? objects.temporary : [],
    foreign: objects.foreign.filter(({ path }) => !links.problems.some((problem) => problem.path === path)),
    notes: [
      ...deployed.notes,
      ...deployed.images.filter(({ digest }) => !known.has(digest) && !links.problems.some(({ path }) => path === `images/${digest}`)).map(({ by, digest }) => `${by} names ${digest}, which is not in this repository`),
      ...orphans.map((digest) => `commits/${digest} speaks for an image that is not here`),
    ],
  };
}

/** Problems told in full; the rest is in the JSON. */
const MOST_PROBLEMS = 50;

export function fsckText(report: FsckReport, style: Style): string {
  const { checked, problems } = report;
  const lines: string[] = [];
  const allRead = report.image === null && !problems.some((problem) => (problem.kind === "object" ? problem.hurts.some(({ whole }) => whole) : problem.kind !== "reference" && problem.kind !== "foreign"));
  for (const problem of problems.slice(0, MOST_PROBLEMS)) {
    lines.push(`${style.red(style.bold(printable(problem.path)))}  ${problem.kind === "object" ? `${problem.fault}: ` : ""}${printable(problem.found)}`);
    if (problem.kind !== "object") {
      lines.push(...problem.neededBy.map((by) => `  ${style.dim("needed by")}  ${printable(by)}`));
      continue;
    }
    if (problem.hurts.length === 0) lines.push(`  ${style.dim("hurts")}  ${allRead ? "nothing: no image and no stream refers to it" : "no image and no stream that can be read"}`);
    for (const hurt of problem.hurts) {
      const files = hurt.whole ? "the whole of it" : hurt.files.length === 0 ? "" : `${hurt.files.join(", ")}${hurt.count > hurt.files.length ? ` and ${hurt.count - hurt.files.length} more` : ""}`;
      lines.push(`  ${style.dim("hurts")}  ${printable(hurt.path)}${files === "" ? "" : `  ${printable(files)}`}`);
      lines.push(...hurt.neededBy.map((by) => `         ${style.dim("needed by")}  ${printable(by)}`));
    }
  }
  if (problems.length > MOST_PROBLEMS) lines.push(`and ${problems.length - MOST_PROBLEMS} more; --json has them all`);
  const rows: (readonly [string, string])[] = [
    ["objects", `${formatCount(checked.present)} (${formatBytes(checked.bytes)}), ${formatCount(checked.objects)} checked${checked.measured > 0 ? `, ${formatCount(checked.measured)} of them by the kernel` : ""}`],
    ["images", String(checked.images)],
    ["streams", String(checked.streams)],
    ["references", String(checked.references)],
    ...report.repaired.map((path) => ["repaired", path] as const),
    ...report.notRepaired.map(({ path, reason }) => ["not repaired", `${path}  (${reason})`] as const),
    ...(report.temporary.length > 0 ? [["unfinished", `${some(report.temporary.length, "file")} of a run that goes on, or was interrupted: sealroot gc removes them then`] as const] : []),
    ...report.foreign.slice(0, MOST_PROBLEMS).map(({ path, found }) => ["foreign", `${path}  (${found})`] as const),
    ...report.notes.slice(0, MOST_PROBLEMS).map((note) => ["note", note] as const),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const head = report.ok ? style.green(report.quick ? "the repository is whole, as far as a quick look tells" : report.image === null ? "the repository is whole" : "the image is whole") : style.red(report.summary);
  return [...lines, head, ...rows.map(([label, value]) => `  ${style.dim(label.padEnd(width))}  ${printable(value)}`), ""].join("\n");
}
