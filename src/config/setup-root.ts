/**
 * setup-root-conf.toml, the configuration of composefs-setup-root and bootc, with our additions:
 *
 *     [root]  transient, transient-ro = true|false   size, inodes
 *     [etc]   mount = "none"|"bind"|"overlay"|"transient"   transient = true|false   size, inodes
 *     [var]   the same
 *     [trust] level = "none"|"verity"|"signed"   keys, threshold, revoked, not-before, insecure-argument
 *
 * `mount` wins over `transient`. bootc's "root" and "volatile" mean "none" and "transient".
 */

import { type Document, readDocument } from "./document.ts";
import { LIMIT_KEYS, readLimits } from "./limits.ts";
import { suggestion } from "./names.ts";
import { type ConfigWarning, DEFAULT_POLICY, type DirectoryPolicy, type MountKind, type Policy, type RootPolicy } from "./policy.ts";
import { Section, warning } from "./section.ts";
import { readTrust, refuseMisplacedTrust } from "./trust-table.ts";

const TABLES = ["root", "etc", "var", "trust"];
const ROOT_KEYS = ["transient", "transient-ro", ...LIMIT_KEYS];
const DIRECTORY_KEYS = ["mount", "transient", ...LIMIT_KEYS];
const MOUNTS: readonly MountKind[] = ["none", "bind", "overlay", "transient"];
const MOUNT_ALIASES: Readonly<Record<string, MountKind>> = { root: "none", volatile: "transient" };
/** A file with more nonsense than this in it is not worth a longer list. */
const MAX_WARNINGS = 20;

/**
 * @param path only named in messages
 * @throws SealrootError SR-E101 with file, line where certain, key, what was expected and found
 */
export function parseSetupRootConfig(text: string | Uint8Array, path: string): { policy: Policy; warnings: ConfigWarning[] } {
  const document = readDocument(text, path);
  const warnings: ConfigWarning[] = [];
  const names = Object.keys(document.root);
  if (names.length === 0) return { policy: DEFAULT_POLICY, warnings };

  const unknown = names.filter((name) => !TABLES.includes(name));
  for (const name of unknown) refuseMisplacedTrust(document, [name]);
  const policy: Policy = {
    root: readRoot(document, warnings),
    etc: readDirectory(document, "etc", warnings),
    var: readDirectory(document, "var", warnings),
    trust: readTrust(document, warnings),
  };
  for (const name of unknown) {
    if (warnings.length >= MAX_WARNINGS) break;
    warnings.push(warning(document, [name], `not known, ignored${suggestion(name, TABLES)}`));
  }
  return { policy, warnings };
}

function readRoot(document: Document, warnings: ConfigWarning[]): RootPolicy {
  const section = new Section(document, "root", warnings);
  reportUnknown(document, section, "root", ROOT_KEYS, warnings);
  const transient = section.boolean("transient") ?? false;
  const readOnly = section.boolean("transient-ro") ?? false;
  // ostree-prepare-root refuses this too: one says writable, the other read-only.
  if (transient && readOnly) throw section.refuse("transient-ro", "transient and transient-ro contradict each other", "one of them, not both");
  const limits = readLimits(section);
  if (!transient && !readOnly) reportIdleLimits(section, "the root is not transient");
  return { transient: transient || readOnly, readOnly, limits };
}

function readDirectory(document: Document, name: "etc" | "var", warnings: ConfigWarning[]): DirectoryPolicy {
  const section = new Section(document, name, warnings);
  reportUnknown(document, section, name, DIRECTORY_KEYS, warnings);
  const transient = section.boolean("transient") ?? false;
  const mount = section.choice("mount", MOUNTS, MOUNT_ALIASES) ?? (transient ? "transient" : undefined);
  const limits = readLimits(section);
  if (mount !== "transient") reportIdleLimits(section, `/${name} is not transient`);
  return { mount, limits };
}

function reportUnknown(document: Document, section: Section, name: string, known: readonly string[], warnings: ConfigWarning[]): void {
  const keys = section.unknownKeys(known);
  for (const key of keys) refuseMisplacedTrust(document, [name, key]);
  for (const key of keys) {
    if (warnings.length >= MAX_WARNINGS) return;
    section.warn(key, `not known, ignored${suggestion(key, known)}`);
  }
}

function reportIdleLimits(section: Section, why: string): void {
  for (const key of LIMIT_KEYS) if (section.has(key)) section.warn(key, `has no effect: ${why}`);
}
