/**
 * The Linux kernel command line, read by the kernel's own rules, and the composefs arguments on it.
 *
 * This folder stands alone: no imports from elsewhere, no I/O, no state. It turns bytes into values:
 *
 *     const tokens = splitCommandLine(bytesOfProcCmdline);
 *     const { candidates, skipped } = parseImageArguments(tokens);
 *     lastValue(tokens, "systemd.volatile");
 *
 * Which tokens count? All that the kernel's rule finds, in order, those after `--` included.
 * - Where an argument begins and ends is the kernel's rule, because it splits at the most places:
 *   vertical tab and byte 0xa0 separate here and not in systemd or composefs-rs, an apostrophe
 *   groups in systemd and not here, and systemd and the kernel drop quotes which composefs-rs keeps.
 *   So no spelling hides from us an argument that another reader acts on, save a backslash (removed
 *   by some versions of systemd only). The reverse, an argument only we see, gives nothing to an
 *   attacker: whoever can write such a byte can write a plain space.
 * - The kernel hands what follows `--` to init and does not interpret it. But it interprets none of
 *   the arguments read here either, and those who do (systemd's conditions and generators, dracut,
 *   composefs-setup-root, bootc) do not stop at `--`. Stopping would make us boot without what a unit
 *   condition has just seen; a boot loader that appends to a line with `--` in it would break the
 *   boot. `Token.afterDashes` tells a caller who wants the kernel's view.
 *
 * Sources: lib/cmdline.c next_arg(), lib/ctype.c, kernel/params.c parse_args() of Linux;
 * systemd's kernel-command-line(7); the composefs arguments as composefs-rs defines them.
 */
export {
  formatImageArgument,
  type ImageArgument,
  type ImageArgumentParts,
  type ImageArguments,
  parseImageArguments,
  type SkippedArgument,
} from "./image-argument.ts";
export { allValues, lastValue, sameKey } from "./lookup.ts";
export { MAX_COMMAND_LINE, splitCommandLine, type Token } from "./split.ts";
