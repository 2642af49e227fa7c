/** Progress: nothing in the first second, nothing without a terminal, one line drawn over, and gone at the end. */

import { describe, expect, test } from "bun:test";
import { formatBytes, formatCount, formatDuration, Progress } from "../../../src/terminal/progress.ts";

/** A terminal whose clock the test moves. */
function fake(columns = 80) {
  const written: string[] = [];
  const clock = { now: 1 };
  return { written, clock, terminal: { write: (text: string): void => void written.push(text), columns: () => columns, now: () => clock.now } };
}

describe("progress", () => {
  test("short work says nothing", () => {
    const { written, clock, terminal } = fake();
    {
      using progress = new Progress(terminal);
      progress.begin("checking objects", { items: 100 });
      for (let at = 0; at < 100; at++) {
        clock.now += 9;
        progress.advance(1);
      }
    }
    expect(written).toEqual([]);
  });

  test("a chain of short parts is long work", () => {
    const { written, clock, terminal } = fake();
    using progress = new Progress(terminal);
    for (const part of ["one", "two", "three"]) {
      progress.begin(part, { items: 2 });
      clock.now += 400;
      progress.advance(1);
    }
    expect(written.map((line) => line.replace("\r\x1b[K", ""))).toEqual(["three  1 of 2, 3/s, 1 s left"]);
  });

  test("how much, how fast, how long; a thing counts beside its bytes", () => {
    const { written, clock, terminal } = fake(100);
    using progress = new Progress(terminal);
    progress.begin("checking objects", { items: 50_000, bytes: 2 ** 30 });
    for (let at = 0; at < 20; at++) {
      clock.now += 100;
      progress.advance(1000, 2 ** 20);
    }
    expect(written.at(-1)).toBe("\r\x1b[Kchecking objects  20,000 of 50,000, 20.0 MiB of 1.0 GiB, 10.0 MiB/s, 5 s left");
    // not more than ten lines a second
    expect(written.length).toBe(11);
    progress.clear();
    expect(written.at(-1)).toBe("\r\x1b[K");
    const length = written.length;
    progress.clear();
    expect(written.length).toBe(length);
  });

  test("large things first, small ones last: no hours at the beginning, no second that never ends", () => {
    const { written, clock, terminal } = fake(100);
    using progress = new Progress(terminal);
    progress.begin("reading", { items: 100_000, bytes: 10 * 2 ** 30 });
    const left = (): number => {
      const [, minutes, seconds] = / (?:(\d+) min )?(\d+) s left$/.exec(written.at(-1) ?? "") ?? [];
      return seconds === undefined ? Number.NaN : Number(minutes ?? 0) * 60 + Number(seconds);
    };
    // ten files of a GiB take 20 s, and all others, with nothing in them, 10 s
    for (let at = 0; at < 10; at++) {
      clock.now += 2000;
      progress.advance(1, 2 ** 30);
      expect(left()).toBeLessThan(40);
    }
    for (let at = 0; at < 99; at++) {
      clock.now += 100;
      progress.advance(1000);
    }
    expect(left()).toBeLessThanOrEqual(1);
    expect(written.filter((line) => line.includes(" 1 s left")).length).toBeLessThan(20);
  });

  test("the first things of many say nothing of how long it takes", () => {
    const { written, clock, terminal } = fake();
    using progress = new Progress(terminal);
    progress.begin("reading", { items: 100_000 });
    clock.now += 2000;
    progress.advance(10);
    expect(written.at(-1)).toEndWith("reading  10 of 100,000, 5/s");
    clock.now += 2000;
    progress.advance(4990);
    expect(written.at(-1)).toContain(" left");
  });

  test("work that has become slower says so", () => {
    const { written, clock, terminal } = fake();
    using progress = new Progress(terminal);
    progress.begin("copying", { bytes: 2 ** 40 });
    const go = (seconds: number, rate: number): void => {
      for (let at = 0; at < seconds * 10; at++) {
        clock.now += 100;
        progress.advance(0, rate / 10);
      }
    };
    go(30, 100 * 2 ** 20);
    expect(written.at(-1)).toContain("100.0 MiB/s");
    go(30, 2 ** 20);
    expect(written.at(-1)).toContain(", 1.0 MiB/s");
  });

  test("a total that is not known, and one that turns out to be too small", () => {
    const { written, clock, terminal } = fake();
    using progress = new Progress(terminal);
    progress.begin("reading");
    clock.now += 2000;
    progress.advance(4000);
    expect(written.at(-1)).toEndWith("reading  4,000, 2,000/s");
    progress.begin("reading", { items: 10 });
    clock.now += 2000;
    progress.advance(4000);
    expect(written.at(-1)).toEndWith("reading  4,000 of 10, 2,000/s");
  });

  test("on a narrow terminal the count of things gives way", () => {
    const { written, clock, terminal } = fake(70);
    using progress = new Progress(terminal);
    progress.begin("checking objects", { items: 50_000, bytes: 2 ** 30 });
    clock.now += 2000;
    progress.advance(20_000, 20 * 2 ** 20);
    expect(written.at(-1)).toBe("\r\x1b[Kchecking objects  20.0 MiB of 1.0 GiB, 10.0 MiB/s, 5 s left");
  });

  test("never longer than a line", () => {
    const { written, clock, terminal } = fake(30);
    using progress = new Progress(terminal);
    progress.begin("checking objects of a long name", { items: 5 });
    clock.now += 2000;
    progress.advance(1);
    expect(written.at(-1)?.replace("\r\x1b[K", "").length).toBe(29);
  });

  test("without a terminal it does nothing", () => {
    using progress = new Progress(undefined);
    progress.begin("checking");
    progress.advance(1, 1);
    progress.clear();
  });
});

test("amounts as people read them", () => {
  expect([0, 1023, 1024, 1536, 2 ** 20 - 1, 5 * 2 ** 30, 2 ** 50].map(formatBytes)).toEqual(["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 GiB", "1024.0 TiB"]);
  expect([0, 0.2, 59.5, 61, 3600, 7500].map(formatDuration)).toEqual(["0 s", "1 s", "1 min 0 s", "1 min 1 s", "1 h 0 min", "2 h 5 min"]);
  expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(["0", "999", "1,000", "1,234,567"]);
});
