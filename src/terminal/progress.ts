/**
 * Progress of long work, as one line on a terminal that is drawn over and taken away at the end: how much is done, how fast, how
 * long it will take. Only for what takes over a second, and nothing at all where nobody looks. Pure: the clock and the terminal are
 * given.
 */

/** What long work tells of itself. Rooms below the commands know no more than this. */
export interface ProgressListener {
  /** The next part of the work. @param what as in "checking objects" @param total what it will come to, as far as that is known */
  begin(what: string, total?: Partial<Amount>): void;
  /** So much more is done. Cheap enough to be called for every file. */
  advance(items: number, bytes?: number): void;
}

/** How much work: things, and bytes in them. */
export interface Amount {
  readonly items: number;
  readonly bytes: number;
}

export interface ProgressTerminal {
  write(text: string): void;
  /** Characters in a line. */
  columns(): number;
  /** Milliseconds, of a clock that only goes forward. */
  now(): number;
}

/** Milliseconds before the first line, and between two. */
const FIRST = 1000;
const NEXT = 100;
/** Of the time that the rate is taken over: work that has become slower is to say so. */
const WINDOW = 5000;
/** What a thing costs beside its bytes, in bytes: opening, naming and closing a file takes as long as going through so many. */
const ITEM_COST = 65_536;
/** An estimate is shown from this part of the work on, or after this many milliseconds: what comes first is seldom like the rest. */
const STABLE_PART = 0.02;
const STABLE_AFTER = 5000;
const ERASE = "\r\x1b[K";

export class Progress implements ProgressListener, Disposable {
  readonly #terminal: ProgressTerminal | undefined;
  #what = "";
  #total: Partial<Amount> = {};
  #items = 0;
  #bytes = 0;
  #started = 0;
  /** When this part of the work began. */
  #began = 0;
  #drawn: number | undefined;
  /** Where the rate is taken from: a point in time, and one half a window later that takes its place. */
  #from = { at: 0, items: 0, bytes: 0 };
  #middle = { at: 0, items: 0, bytes: 0 };

  /** @param terminal undefined: be quiet */
  constructor(terminal: ProgressTerminal | undefined) {
    this.#terminal = terminal;
  }

  begin(what: string, total: Partial<Amount> = {}): void {
    if (this.#terminal === undefined) return;
    this.#what = what;
    this.#total = total;
    this.#items = 0;
    this.#bytes = 0;
    const at = this.#terminal.now();
    // a chain of short parts is long work too: the first second is counted once
    if (this.#started === 0) this.#started = at;
    this.#began = at;
    this.#from = { at, items: 0, bytes: 0 };
    this.#middle = this.#from;
    if (this.#drawn !== undefined) this.#draw(at);
  }

  advance(items: number, bytes = 0): void {
    if (this.#terminal === undefined) return;
    this.#items += items;
    this.#bytes += bytes;
    const at = this.#terminal.now();
    if (this.#drawn === undefined ? at - this.#started >= FIRST : at - this.#drawn >= NEXT) this.#draw(at);
  }

  /** Takes the line away. Before anything else is printed, and at the end. */
  clear(): void {
    if (this.#drawn === undefined) return;
    this.#terminal?.write(ERASE);
    this.#drawn = undefined;
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  #draw(at: number): void {
    if (at - this.#middle.at > WINDOW / 2) {
      this.#from = this.#middle;
      this.#middle = { at, items: this.#items, bytes: this.#bytes };
    }
    const seconds = (at - this.#from.at) / 1000;
    const rate = this.#rate(seconds, at);
    const amounts = this.#amounts();
    const columns = Math.max((this.#terminal?.columns() ?? 80) - 1, 20);
    // on a narrow terminal the first amounts give way: what is left to wait is what people look for
    let line = "";
    for (let first = 0; first < amounts.length; first++) {
      line = `${this.#what}  ${[...amounts.slice(first), ...rate].join(", ")}`;
      if (line.length <= columns) break;
    }
    this.#terminal?.write(`${ERASE}${line.slice(0, columns)}`);
    this.#drawn = at;
  }

  #amounts(): string[] {
    const { items, bytes } = this.#total;
    const counted = items === undefined ? `${count(this.#items)}` : `${count(this.#items)} of ${count(items)}`;
    if (this.#bytes === 0) return [counted];
    const sized = bytes === undefined ? formatBytes(this.#bytes) : `${formatBytes(this.#bytes)} of ${formatBytes(bytes)}`;
    return this.#items === 0 ? [sized] : [counted, sized];
  }

  #rate(seconds: number, at: number): string[] {
    if (seconds < 0.2) return [];
    const [items, bytes] = [(this.#items - this.#from.items) / seconds, (this.#bytes - this.#from.bytes) / seconds];
    const rate = bytes > 0 ? `${formatBytes(bytes)}/s` : `${count(Math.round(items))}/s`;
    const left = this.#left(items, bytes, at);
    return left === undefined ? [rate] : [rate, `${formatDuration(left)} left`];
  }

  /**
   * Seconds that are left, by what was done in one; undefined while that is not known. Things are large and small, so bytes tell
   * better where they are known; but what is small takes its time too, so where both are known both count.
   */
  #left(items: number, bytes: number, at: number): number | undefined {
    const total = this.#total;
    // what nobody has counted towards a total says nothing
    const [perItem, perByte] = [total.items === undefined ? 0 : total.bytes === undefined ? 1 : ITEM_COST, total.bytes === undefined ? 0 : 1];
    const all = (total.items ?? 0) * perItem + (total.bytes ?? 0) * perByte;
    const done = this.#items * perItem + this.#bytes * perByte;
    const speed = items * perItem + bytes * perByte;
    if (speed <= 0 || done > all || (done < all * STABLE_PART && at - this.#began < STABLE_AFTER)) return undefined;
    return (all - done) / speed;
  }
}

const count = (number: number): string => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** Bytes as people read them: "1.4 GiB". */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  // 1023.96 KiB is to be 1.0 MiB, not 1024.0 KiB
  if (Number(value.toFixed(1)) >= 1024 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}

/** Seconds as people read them: "7 s", "3 min 20 s", "2 h 5 min". */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A number as people read it: "12,345". */
export const formatCount = count;
