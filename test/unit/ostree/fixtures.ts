/** The files of test/data/ostree, by name. */

import { readFileSync } from "node:fs";

const top = new URL("../../data/ostree/", import.meta.url);

export const fixture = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, top)));

export interface TypedValue {
  readonly type: string;
  readonly value: unknown;
}

export interface CommitRecord {
  readonly file: string;
  readonly commit_id: string;
  readonly written_by: string;
  readonly glib_normal_form: boolean;
  readonly timestamp?: number;
  readonly parent?: string | null;
  readonly subject?: string;
  readonly body?: string;
  readonly root_dirtree?: string;
  readonly root_dirmeta?: string;
  readonly metadata?: readonly (readonly [string, TypedValue])[];
  readonly related?: readonly (readonly [string, string])[];
}

export interface MetaRecord {
  readonly file: string;
  readonly written_by: string;
  readonly glib_normal_form: boolean;
  readonly entries?: readonly (readonly [string, TypedValue])[];
}

export interface Outcome {
  readonly prepare_root: "accept" | "reject";
  readonly message: string | null;
}

export interface Case {
  readonly name: string;
  readonly deployment_commit_id: string;
  readonly object_commit: string;
  readonly object_commitmeta: string | null;
  readonly other_objects: readonly { readonly commit: string; readonly commitmeta: string | null }[];
  readonly image: string;
  readonly expected: Readonly<Record<string, Outcome>>;
}

export interface Manifest {
  readonly keys: Readonly<Record<string, { readonly base64: string; readonly hex: string }>>;
  readonly images: Readonly<Record<string, { readonly digest_with_verity: string }>>;
  readonly commits: Readonly<Record<string, CommitRecord>>;
  readonly commitmeta: Readonly<Record<string, MetaRecord>>;
  readonly keyfiles: Readonly<Record<string, Outcome & { readonly file: string; readonly with_case: string }>>;
  readonly cases: readonly Case[];
}

export const manifest = JSON.parse(new TextDecoder().decode(fixture("manifest.json"))) as Manifest;

export const commitBytes = (name: string): Uint8Array => fixture(`commit/${name}.commit`);
export const commitmetaBytes = (name: string | null): Uint8Array | undefined => {
  if (name === null) return undefined;
  return name === "zero-length file" ? new Uint8Array() : fixture(`commitmeta/${name}.commitmeta`);
};

export function named<T>(record: Readonly<Record<string, T>>, name: string): T {
  const found = record[name];
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}
