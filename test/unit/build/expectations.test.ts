import { describe, expect, test } from "bun:test";
import { judge, type Wanted } from "../../../src/build/expectations.ts";
import { readModuleGraph } from "../../../src/build/module-graph.ts";
import { EXEC_ARGUMENTS, GRAPH_FLAG_CROSS, GRAPH_FLAGS } from "../../../src/build/targets.ts";
import { type Parts, syntheticElf } from "./synthetic-elf.ts";

/** A .bun section as the compiler writes it. */
function graph(execArguments = EXEC_ARGUMENTS, flags = GRAPH_FLAGS, program = "the program"): Buffer {
  const payload = Buffer.from(program + execArguments, "latin1");
  const tail = Buffer.alloc(32);
  tail.writeBigUInt64LE(BigInt(payload.length), 0);
  tail.writeUInt32LE(Buffer.byteLength(program), 20);
  tail.writeUInt32LE(execArguments.length, 24);
  tail.writeUInt32LE(flags, 28);
  return Buffer.concat([Buffer.alloc(8), payload, tail, Buffer.from("\n---- Bun! ----\n"), Buffer.alloc(3)]);
}

const code = Uint8Array.of(1, 2, 3, 4);
const wanted: Wanted = {
  expectation: { machine: 62, interpreter: "/ld", libraries: ["libc.so.6"], glibc: "GLIBC_2.17", largest: 10_000 },
  entryCode: code,
  forbidden: ["/home/builder"],
};
const good: Parts = { needed: ["libc.so.6"], versions: ["GLIBC_2.2.5", "GLIBC_2.17"], code: Uint8Array.of(...code, 0, 0), bun: graph(), covered: true };

test("a file that is as it must be", () => {
  expect(judge(syntheticElf(good), wanted)).toEqual([]);
  expect(judge(syntheticElf({ ...good, bun: graph(EXEC_ARGUMENTS, GRAPH_FLAGS | GRAPH_FLAG_CROSS) }), wanted)).toEqual([]);
});

describe("each fault is named", () => {
  const cases: readonly (readonly [string, Parts, string])[] = [
    ["another machine", { machine: 183 }, "machine: found 183"],
    ["another loader", { interpreter: "/evil" }, "interpreter: found /evil"],
    ["one library more", { needed: ["libc.so.6", "libevil.so"] }, "needed libraries: found libc.so.6 libevil.so"],
    ["a newer C library", { versions: ["GLIBC_2.9", "GLIBC_2.38"] }, "asked for GLIBC_2.38, above GLIBC_2.17"],
    ["a version of something else", { versions: ["GLIBCXX_3.4"] }, "asked for version GLIBCXX_3.4"],
    ["writable code", { codeFlags: 7 }, "writable and executable"],
    ["an executable stack", { stack: false }, "no GNU_STACK header"],
    ["no entry code", { code: new Uint8Array(8) }, "the entry code is not at the entry"],
    ["an address that strip would lose", { covered: false }, "are in no section: strip would lose them"],
    ["weaker arguments", { bun: graph("--disallow-code-generation-from-strings") }, "built-in arguments: found --disallow-code-generation-from-strings,"],
    ["files of the working directory loaded", { bun: graph(EXEC_ARGUMENTS, GRAPH_FLAGS & ~1) }, "switches: found 0xbfe, expected 0xbff"],
    ["the builder's directory", { bun: graph(EXEC_ARGUMENTS, GRAPH_FLAGS, "x /home/builder/src") }, '"/home/builder" stands in the program'],
    ["a source map", { bun: graph(EXEC_ARGUMENTS, GRAPH_FLAGS, "//# sourceMappingURL=x") }, "a source map is referred to"],
  ];
  test.each(cases)("%s", (_what, parts, complaint) => {
    const complaints = judge(syntheticElf({ ...good, ...parts }), wanted);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toContain(complaint);
  });
  test("too large", () => {
    expect(judge(syntheticElf({ ...good, bun: graph(EXEC_ARGUMENTS, GRAPH_FLAGS, "x".repeat(10_000)) }), wanted).join()).toContain("more than 10000");
  });
});

test("the graph's numbers must add up", () => {
  expect(readModuleGraph(graph()).payload.length).toBe("the program".length + EXEC_ARGUMENTS.length);
  expect(() => readModuleGraph(Buffer.alloc(100))).toThrow("no compiled program");
  const wrong = graph();
  wrong.writeBigUInt64LE(10_000n, 8 + "the program".length + EXEC_ARGUMENTS.length);
  expect(() => readModuleGraph(wrong)).toThrow("do not add up");
});
