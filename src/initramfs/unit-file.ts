/**
 * systemd units as they lie in an initramfs: where they are looked for, what their files and drop-ins say, what pulls them in
 * (systemd.unit(5), systemd.syntax(7)). Only as much as is needed to tell whether a unit will be started, and what it runs.
 */

import type { Found, Tree } from "./tree.ts";

/** Highest precedence first. */
const UNIT_DIRECTORIES = ["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"] as const;

/** What an initramfs starts on its way to the new root. */
const TARGETS = [
  "initrd-root-fs.target", "initrd.target", "initrd-root-device.target", "initrd-fs.target", "initrd-usr-fs.target", "initrd-switch-root.target",
  "initrd-parse-etc.service", "sysinit.target", "basic.target", "local-fs.target", "sysroot.mount", "default.target",
] as const;

export interface Unit {
  readonly name: string;
  readonly path: string;
  /** Its file is a link to /dev/null, or empty. */
  readonly masked: boolean;
  /** Values by "Section.Key", drop-ins applied: an empty value forgets those before it. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");

function readInto(values: Map<string, string[]>, text: string): void {
  let section = "";
  // A backslash at the end of a line joins the next one to it; comments in between do not count.
  const lines = text.split("\n").filter((line) => !/^\s*[#;]/.test(line)).join("\n").replace(/\\\n/g, " ").split("\n");
  for (const raw of lines) {
    const line = raw.trim();
    const header = /^\[(.*)\]$/.exec(line);
    if (header !== null) {
      section = header[1] ?? "";
      continue;
    }
    const equals = line.indexOf("=");
    if (equals <= 0) continue;
    const key = `${section}.${line.slice(0, equals).trim()}`;
    const value = line.slice(equals + 1).trim();
    if (value === "") values.set(key, []);
    else values.set(key, [...(values.get(key) ?? []), value]);
  }
}

function content(found: Found | undefined): string | undefined {
  const data = found?.inode.kind === "file" ? found.inode.data : undefined;
  return data === undefined ? undefined : latin1(data);
}

/** The unit's file; an entry of higher precedence hides the others. */
function locate(tree: Tree, name: string): string | undefined {
  return UNIT_DIRECTORIES.map((directory) => `${directory}/${name}`).find((path) => tree.findLink(path) !== undefined);
}

/** @returns undefined if there is no such unit, or it is a link to nowhere */
export function readUnit(tree: Tree, name: string): Unit | undefined {
  const path = locate(tree, name);
  if (path === undefined) return undefined;
  const link = tree.findLink(path)?.inode;
  const found = tree.find(path);
  const masked = (link?.kind === "symlink" && link.target === "/dev/null") || (found?.inode.kind === "file" && found.inode.size === 0);
  if (!masked && found?.inode.kind !== "file") return undefined;
  const values = new Map<string, string[]>();
  if (!masked) {
    readInto(values, content(found) ?? "");
    for (const dropIn of dropIns(tree, name)) readInto(values, content(tree.file(dropIn)) ?? "");
  }
  return { name, path: found?.path ?? path, masked, values };
}

/** Paths of the drop-ins of a unit, in the order in which they apply. */
export function dropIns(tree: Tree, name: string): readonly string[] {
  const byName = new Map<string, string>();
  for (const directory of [...UNIT_DIRECTORIES].reverse()) {
    for (const file of tree.list(`${directory}/${name}.d`)) {
      if (file.endsWith(".conf")) byName.set(file, `${directory}/${name}.d/${file}`);
    }
  }
  return [...byName.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

/** The wants and requires links that start `name` in an initramfs, as paths. */
export function startedBy(tree: Tree, name: string): readonly string[] {
  const links: string[] = [];
  const seen = new Set<object>();
  for (const directory of UNIT_DIRECTORIES) {
    for (const target of TARGETS) {
      for (const kind of ["wants", "requires"]) {
        const found = tree.find(`${directory}/${target}.${kind}`);
        const entry = found?.inode.entries.get(name);
        // /lib/systemd is /usr/lib/systemd: the same link is counted once
        if (found === undefined || entry === undefined || seen.has(found.inode)) continue;
        seen.add(found.inode);
        links.push(`${found.path}/${name}`);
      }
    }
  }
  return links;
}

/** Links of the same kind in places where systemd does not look: what dracut 109 did to older modules. */
export function misplacedLinks(tree: Tree, name: string): readonly string[] {
  return TARGETS.flatMap((target) => ["wants", "requires"].map((kind) => `/${target}.${kind}/${name}`)).filter((path) => tree.findLink(path) !== undefined);
}

/** The program of a command line in a unit, without the prefixes that systemd defines. */
export function programOf(command: string): string | undefined {
  const [word = ""] = command.replace(/^[@\-:+!|]+/, "").trim().split(/\s+/, 1);
  const path = word.replace(/^"(.*)"$/, "$1").replace(/^'(.*)'$/, "$1");
  return path === "" ? undefined : path;
}
