/** A line, split at its spaces: positions only, nothing is copied. */

export const FIELD = { path: 0, size: 1, mode: 2, nlink: 3, uid: 4, gid: 5, rdev: 6, mtime: 7, payload: 8, content: 9, digest: 10 } as const;
const FIELDS = 11;

const [NUL, SPACE, BACKSLASH, DASH] = [0, 0x20, 0x5c, 0x2d];

/** The xattrs of a line are known by their text: nearly every line has those of another one. */
const MIX = 0x9e3779b1;

export class Line {
  bytes: Uint8Array = new Uint8Array();
  readonly starts = new Int32Array(FIELDS);
  readonly ends = new Int32Array(FIELDS);
  /** Bit n: field n has a backslash. */
  #escaped = 0;
  /** From here to `end`: the xattrs. */
  xattrs = 0;
  /** A number that equal xattr texts have in common. */
  xattrsHash = 0;
  end = 0;
  /** Where there is a NUL, counted from the beginning of the line; -1 where there is none. */
  nul = -1;

  split(bytes: Uint8Array, start: number, end: number): void {
    const { starts, ends } = this;
    this.bytes = bytes;
    this.end = end;
    this.nul = -1;
    let escaped = 0;
    let field = 0;
    let at = start;
    starts[0] = start;
    for (; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (byte > SPACE && byte !== BACKSLASH) continue;
      if (byte === SPACE) {
        ends[field++] = at;
        if (field === FIELDS) break;
        starts[field] = at + 1;
      } else if (byte === BACKSLASH) {
        escaped |= 1 << field;
      } else if (byte === NUL && this.nul < 0) {
        this.nul = at - start;
      }
    }
    this.#escaped = escaped;
    if (field < FIELDS) {
      ends[field++] = end;
      // missing fields read as empty ones
      for (; field < FIELDS; field++) {
        starts[field] = end;
        ends[field] = end;
      }
      this.xattrs = end;
      return;
    }
    this.xattrs = at + 1;
    let hash = 0;
    for (at++; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === NUL && this.nul < 0) this.nul = at - start;
      hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ byte, MIX);
    }
    this.xattrsHash = hash;
  }

  start(field: number): number {
    return this.starts[field] ?? 0;
  }

  stop(field: number): number {
    return this.ends[field] ?? 0;
  }

  isEscaped(field: number): boolean {
    return (this.#escaped & (1 << field)) !== 0;
  }

  /** Whether an optional field says that there is nothing: a lone dash, not escaped. */
  isAbsent(field: number): boolean {
    const start = this.start(field);
    return this.stop(field) - start === 1 && this.bytes[start] === DASH;
  }
}
