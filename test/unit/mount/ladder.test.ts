/** Rungs: the best first, the next on the errno that means "not here", the first such error kept. */

import { describe, expect, test } from "bun:test";
import { ERRNO, SyscallError } from "../../../src/linux/index.ts";
import { climb } from "../../../src/mount/ladder.ts";

const fails = (name: string, errno: number) => ({ name, climb: (): string => { throw new SyscallError(name, errno); } });
const works = (name: string) => ({ name, climb: (): string => `by ${name}` });
const NOT_HERE = [ERRNO.EINVAL, ERRNO.ENOSYS];

describe("climb", () => {
  test("the first that carries, and nothing after it", () => {
    let tried = false;
    const never = { name: "never", climb: (): string => { tried = true; return ""; } };
    expect(climb([works("a"), never], NOT_HERE)).toEqual({ value: "by a", rung: "a" });
    expect(tried).toBe(false);
  });
  test("the next on an errno that means not here", () => {
    expect(climb([fails("a", ERRNO.EINVAL), fails("b", ERRNO.ENOSYS), works("c")], NOT_HERE)).toEqual({ value: "by c", rung: "c" });
  });
  test("another errno, or another error, at once", () => {
    expect(() => climb([fails("a", ERRNO.EIO), works("b")], NOT_HERE)).toThrow("a: EIO");
    expect(() => climb([{ name: "a", climb: () => { throw new TypeError("bug"); } }, works("b")], NOT_HERE)).toThrow("bug");
    expect(() => climb([fails("a", ERRNO.EINVAL), fails("b", ERRNO.EPERM), works("c")], NOT_HERE)).toThrow("b: EPERM");
  });
  test("none carries: the first error, which is the best kernel's", () => {
    expect(() => climb([fails("a", ERRNO.EINVAL), fails("b", ERRNO.ENOSYS)], NOT_HERE)).toThrow("a: EINVAL");
    expect(() => climb([], NOT_HERE)).toThrow("a ladder without rungs");
  });
});
