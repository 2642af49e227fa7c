/** The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram of fields. Best effort. */

import { sendDatagram } from "../linux/index.ts";

const SOCKET = "/run/systemd/journal/socket";

/** Pure: `NAME=value\n`, or for a value with a line break the name, a 64-bit length, and the bytes. */
export function encodeFields(fields: Readonly<Record<string, string>>): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (!value.includes("\n")) {
      parts.push(encoder.encode(`${name}=${value}\n`));
      continue;
    }
    const bytes = encoder.encode(value);
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(bytes.byteLength), true);
    parts.push(encoder.encode(`${name}\n`), length, bytes, encoder.encode("\n"));
  }
  return new Uint8Array(Bun.concatArrayBuffers(parts));
}

/** Where there is no journal (an initramfs without systemd) the console block has to do. */
export function sendToJournal(fields: Readonly<Record<string, string>>): void {
  try {
    sendDatagram(SOCKET, encodeFields({ SYSLOG_IDENTIFIER: "sealroot", ...fields }));
  } catch {
    // nothing listens
  }
}
