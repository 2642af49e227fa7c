/** The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): simple fields, and fields with line breaks. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { encodeFields } from "../../../src/boot/journal.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test("one line a field", () => {
  expect(text(encodeFields({ MESSAGE: "a=b", PRIORITY: "3", EMPTY: "" }))).toBe("MESSAGE=a=b\nPRIORITY=3\nEMPTY=\n");
});

test("a value with a line break: name, 64-bit length, value", () => {
  expect(text(encodeFields({ A: "x\ny", B: "z" }))).toBe("A\n\x03\0\0\0\0\0\0\0x\ny\nB=z\n");
});

test("the length counts bytes, not characters", () => {
  expect([...encodeFields({ A: "é\n" })]).toEqual([0x41, 0x0a, 3, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0xa9, 0x0a, 0x0a]);
});

/** A reader of the protocol, written from its description. */
function decode(bytes: Uint8Array): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    const line = bytes.subarray(at, end);
    const equals = line.indexOf(0x3d);
    if (equals >= 0) {
      fields[text(line.subarray(0, equals))] = text(line.subarray(equals + 1));
      at = end + 1;
    } else {
      const length = Number(new DataView(bytes.buffer, bytes.byteOffset + end + 1).getBigUint64(0, true));
      fields[text(line)] = text(bytes.subarray(end + 9, end + 9 + length));
      expect(bytes[end + 9 + length]).toBe(0x0a);
      at = end + 10 + length;
    }
  }
  return fields;
}

test("whatever the values are, the fields come out as they went in: none can be forged", () => {
  const value = fc.string({ unit: fc.constantFrom("a", "=", "\n", "\0", "é", "\u2028", "PRIORITY=0\n") });
  fc.assert(fc.property(fc.record({ MESSAGE: value, SEALROOT_CODE: value, PRIORITY: value }), (fields) => {
    expect(decode(encodeFields(fields))).toEqual({ ...fields });
  }));
});
