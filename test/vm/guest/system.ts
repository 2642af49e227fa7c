/** What the guest needs of the C library beside the project's own calls: mounting, and requests to drivers. */

import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { closeSync, openSync } from "node:fs";

const { symbols: libc } = dlopen("libc.so.6", {
  mount: { args: [FFIType.cstring, FFIType.cstring, FFIType.cstring, FFIType.u64, FFIType.cstring], returns: FFIType.i32 },
  umount2: { args: [FFIType.cstring, FFIType.i32], returns: FFIType.i32 },
  ioctl: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
  __errno_location: { args: [], returns: FFIType.ptr },
});

const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);

function errno(): number {
  const address = libc.__errno_location();
  return address === null ? 0 : read.i32(address, 0);
}

/** @returns 0, or the errno */
export function tryMount(source: string, target: string, type: string, options = "", flags = 0): number {
  return libc.mount(ptr(text(source)), ptr(text(target)), ptr(text(type)), flags, ptr(text(options))) === 0 ? 0 : errno();
}

export function mount(source: string, target: string, type: string, options = "", flags = 0): void {
  const failed = tryMount(source, target, type, options, flags);
  if (failed !== 0) throw new Error(`mount ${type} ${source} on ${target} (${options}): errno ${failed}`);
}

/** @returns 0, or the errno */
export function tryUnmount(target: string): number {
  return libc.umount2(ptr(text(target)), 0) === 0 ? 0 : errno();
}

export function unmount(target: string): void {
  const failed = tryUnmount(target);
  if (failed !== 0) throw new Error(`umount ${target}: errno ${failed}`);
}

/** ioctl(2). @param mode "r+" where the driver asks for it @returns what the request returns, or minus the errno */
export function request(path: string, mode: "r" | "r+", number: number, argument: Uint8Array | BigUint64Array | null): number {
  const file = openSync(path, mode);
  try {
    const result = libc.ioctl(file, number, argument === null ? null : ptr(argument));
    return result < 0 ? -errno() : result;
  } finally {
    closeSync(file);
  }
}
