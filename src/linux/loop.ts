/** Loop devices (Documentation/admin-guide/blockdev; linux/loop.h): for kernels whose EROFS cannot mount a file. */

import { Descriptor } from "./descriptor.ts";
import { ERRNO } from "./errno.ts";
import { type DeviceNumber, makeCharacterDevice, O, openPath } from "./files.ts";
import { check, rawSyscall } from "./syscall.ts";
import { isErrno } from "./syscall-error.ts";

const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;
const LO_FLAGS_DIRECT_IO = 16;
/** struct loop_config: u32 fd, u32 block_size, struct loop_info64 (flags at 52, file name at 56), 64 reserved bytes */
const CONFIG_SIZE = 304;
const INFO = 8;
const BLOCK_SIZE = 4096;

/** misc device 10:237 */
const CONTROL: DeviceNumber = { major: 10, minor: 237 };

/**
 * /dev/loop-control. Where the node is missing, because the driver is a module that nothing has loaded yet, opening a node of
 * its number makes the kernel load it ("char-major-10-237" is the module's alias). `scratch` gives a directory for that node.
 */
function openControl(scratch: () => string): Descriptor {
  try {
    return openPath("/dev/loop-control", O.RDWR);
  } catch (error) {
    if (!isErrno(error, ERRNO.ENOENT)) throw error;
    const node = `${scratch()}/loop-control`;
    makeCharacterDevice(node, CONTROL);
    return openPath(node, O.RDWR);
  }
}

/** The device node appears through devtmpfs a moment after the driver made the device. */
function openLoop(number: number): Descriptor {
  for (let attempt = 0; ; attempt++) {
    try {
      return openPath(`/dev/loop${number}`, O.RDWR);
    } catch (error) {
      if (attempt >= 100 || !isErrno(error, ERRNO.ENOENT, ERRNO.ENXIO)) throw error;
      Bun.sleepSync(5);
    }
  }
}

/**
 * A read-only loop device over an open file; it goes away when the last user does (autoclear), so keep the descriptor until
 * the mount exists. Another user may take the free number first: EBUSY is answered with a new one.
 */
export function attachLoop(file: Descriptor, scratch: () => string): Descriptor {
  using control = openControl(scratch);
  for (let attempt = 0; ; attempt++) {
    const number = check(rawSyscall("ioctl", control.fd, LOOP_CTL_GET_FREE), () => "ioctl(/dev/loop-control, LOOP_CTL_GET_FREE)");
    using device = openLoop(number);
    const config = new Uint8Array(CONFIG_SIZE);
    const view = new DataView(config.buffer);
    view.setUint32(0, file.fd, true);
    view.setUint32(4, BLOCK_SIZE, true);
    view.setUint32(INFO + 52, LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO, true);
    new TextEncoder().encodeInto(file.label.slice(-63), config.subarray(INFO + 56, INFO + 56 + 63));
    const result = rawSyscall("ioctl", device.fd, LOOP_CONFIGURE, config);
    if (result === -ERRNO.EBUSY && attempt < 64) continue;
    check(result, () => `ioctl(/dev/loop${number}, LOOP_CONFIGURE, ${file.label})`);
    return device.take();
  }
}
