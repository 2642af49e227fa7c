/** One datagram to a Unix socket: what the journal's native protocol needs. */

import { Descriptor } from "./descriptor.ts";
import { check, rawSyscall } from "./syscall.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0o2000000 | 0o4000;
const MSG_NOSIGNAL = 0x4000;

export function sendDatagram(path: string, payload: Uint8Array): void {
  using socket = new Descriptor(check(rawSyscall("socket", AF_UNIX, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0), () => "socket(AF_UNIX)"), path);
  const address = new Uint8Array(110);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  const { written } = new TextEncoder().encodeInto(path, address.subarray(2, 109));
  check(rawSyscall("sendto", socket.fd, payload, payload.byteLength, MSG_NOSIGNAL, address, 2 + written + 1), () => `sendto(${path})`);
}
