/**
 * GVariant type strings, as far as they decide how bytes are laid out: alignment and fixed size.
 * Source: "GVariant Specification", sections 2.3 and 3; GLib's documentation of GVariantType.
 */

export type Type = {
  readonly text: string;
  /** Multiple of bytes, counted from the start of the enclosing container, at which a value begins. */
  readonly alignment: 1 | 2 | 4 | 8;
  /** Bytes of every value of this type; undefined where values differ in size. */
  readonly fixedSize: number | undefined;
  /** Of a fixed size, and any bytes of that size are a normal value: no booleans and no padding in it. */
  readonly anyBytes: boolean;
} & (
  | { readonly kind: "basic" | "string" | "variant" }
  | { readonly kind: "array" | "maybe"; readonly element: Type }
  | { readonly kind: "tuple" | "entry"; readonly members: readonly Type[] }
);

/** Containers within containers, in a type and across variants. GLib allows 128; D-Bus 64; real commits use 5. */
export const MAX_DEPTH = 64;
/** Characters of a type string; D-Bus allows 255. */
const MAX_TYPE_LENGTH = 1024;

const basic = (text: string, size: 1 | 2 | 4 | 8): Type => ({ kind: "basic", text, alignment: size, fixedSize: size, anyBytes: text !== "b" });
const text = (name: string): Type => ({ kind: "string", text: name, alignment: 1, fixedSize: undefined, anyBytes: false });

const SIMPLE: ReadonlyMap<string, Type> = new Map(
  [
    ...["b", "y"].map((name) => basic(name, 1)),
    ...["n", "q"].map((name) => basic(name, 2)),
    ...["i", "u", "h"].map((name) => basic(name, 4)),
    ...["x", "t", "d"].map((name) => basic(name, 8)),
    ...["s", "o", "g"].map(text),
    { kind: "variant", text: "v", alignment: 8, fixedSize: undefined, anyBytes: false } as const satisfies Type,
  ].map((type): [string, Type] => [type.text, type]),
);

export const alignUp = (position: number, alignment: number): number => (position + alignment - 1) & -alignment;

/** Types that were asked for before; small, because hostile input may name many. */
const known = new Map<string, Type>();
const MAX_KNOWN = 64;

/** The type that a string names, if it names exactly one. Never throws. */
export function parseType(name: string): Type | undefined {
  const found = SIMPLE.get(name) ?? known.get(name);
  if (found !== undefined) return found;
  if (name.length > MAX_TYPE_LENGTH) return undefined;
  const parsed = parseAt(name, 0, 0);
  if (parsed === undefined || parsed.text.length !== name.length) return undefined;
  if (known.size < MAX_KNOWN) known.set(name, parsed);
  return parsed;
}

/** As parseType(), for a type that the program itself names. @throws RangeError if it is none */
export function typeOf(name: string): Type {
  const type = parseType(name);
  if (type === undefined) throw new RangeError(`${JSON.stringify(name)} is no GVariant type`);
  return type;
}

function parseAt(name: string, at: number, depth: number): Type | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const first = name.charAt(at);
  const simple = SIMPLE.get(first);
  if (simple !== undefined) return simple;
  if (first === "a" || first === "m") {
    const element = parseAt(name, at + 1, depth + 1);
    if (element === undefined) return undefined;
    return { kind: first === "a" ? "array" : "maybe", text: first + element.text, alignment: element.alignment, fixedSize: undefined, anyBytes: false, element };
  }
  if (first !== "(" && first !== "{") return undefined;
  const close = first === "(" ? ")" : "}";
  const members: Type[] = [];
  let end = at + 1;
  while (name.charAt(end) !== close) {
    const member = parseAt(name, end, depth + 1);
    if (member === undefined) return undefined;
    members.push(member);
    end += member.text.length;
  }
  // A dictionary entry is a pair whose key is a plain value.
  if (first === "{" && (members.length !== 2 || !(members[0]?.kind === "basic" || members[0]?.kind === "string"))) return undefined;
  return container(first === "(" ? "tuple" : "entry", name.slice(at, end + 1), members);
}

function container(kind: "tuple" | "entry", name: string, members: readonly Type[]): Type {
  let alignment: Type["alignment"] = 1;
  let size: number | undefined = 0;
  for (const member of members) {
    if (member.alignment > alignment) alignment = member.alignment;
    size = size === undefined || member.fixedSize === undefined ? undefined : alignUp(size, member.alignment) + member.fixedSize;
  }
  // The empty tuple takes one byte, so that arrays of it can be counted.
  const fixedSize = size === undefined ? undefined : members.length === 0 ? 1 : alignUp(size, alignment);
  const full = members.length > 0 && members.reduce((sum, member) => sum + (member.fixedSize ?? 0), 0) === fixedSize;
  return { kind, text: name, alignment, fixedSize, anyBytes: full && members.every(({ anyBytes }) => anyBytes), members };
}
