/** GVariants as values that JSON can hold, for people and programs that look at a commit. Bytes are hex, variants `{type, value}`, a maybe a list of none or one. */

import { bytesOf, forEachElement, integerOf, just, members, openVariant, textOf, type Value } from "./gvariant-read.ts";

export type Shown = boolean | number | bigint | string | readonly Shown[] | { readonly type: string; readonly value: Shown };

/** What is broken is shown as the default of its type. The result is as large as the value; look at its size first. */
export function show(value: Value): Shown {
  const { type, bytes, start, end } = value;
  switch (type.kind) {
    case "basic":
      if (type.text === "b") return end - start === 1 && bytes[start] !== 0;
      if (type.text === "d") return end - start === 8 ? new DataView(bytes.buffer, bytes.byteOffset + start, 8).getFloat64(0, true) : 0;
      return type.fixedSize === 8 ? integerOf(value) : Number(integerOf(value));
    case "string":
      return textOf(value) ?? "";
    case "array": {
      if (type.text === "ay") return bytesOf(value).toHex();
      const elements: Shown[] = [];
      forEachElement(value, (element) => elements.push(show(element)) > 0);
      return elements;
    }
    case "tuple":
    case "entry":
      return members(value).members.map(show);
    case "maybe": {
      const child = just(value);
      return child === undefined ? [] : [show(child)];
    }
    case "variant": {
      const child = openVariant(value);
      return child === undefined ? { type: "()", value: [] } : { type: child.type.text, value: show(child) };
    }
  }
}
