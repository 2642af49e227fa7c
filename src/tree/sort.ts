/** Merge sort in place, with one scratch array for all calls: a typed array's own sort() takes 100 MB more for a million names. */

const RUN = 12;

export class Sorter {
  #scratch = new Uint32Array(RUN);

  /** Stable. Costs one comparison an item for what is sorted already, as most sources are. */
  sort(items: Uint32Array, compare: (a: number, b: number) => number): void {
    if (isSorted(items, compare)) return;
    if (this.#scratch.length < items.length) this.#scratch = new Uint32Array(items.length);
    for (let start = 0; start < items.length; start += RUN) insertionSort(items, start, Math.min(start + RUN, items.length), compare);
    for (let width = RUN; width < items.length; width *= 2) {
      for (let start = 0; start + width < items.length; start += width * 2) this.#merge(items, start, start + width, Math.min(start + width * 2, items.length), compare);
    }
  }

  #merge(items: Uint32Array, start: number, middle: number, end: number, compare: (a: number, b: number) => number): void {
    const left = this.#scratch;
    left.set(items.subarray(start, middle));
    const leftEnd = middle - start;
    for (let at = start, from = 0, right = middle; from < leftEnd; at++) {
      if (right < end && compare(left[from] ?? 0, items[right] ?? 0) > 0) items[at] = items[right++] ?? 0;
      else items[at] = left[from++] ?? 0;
    }
  }
}

function isSorted(items: Uint32Array, compare: (a: number, b: number) => number): boolean {
  for (let at = 1; at < items.length; at++) if (compare(items[at - 1] ?? 0, items[at] ?? 0) > 0) return false;
  return true;
}

function insertionSort(items: Uint32Array, start: number, end: number, compare: (a: number, b: number) => number): void {
  for (let at = start + 1; at < end; at++) {
    const item = items[at] ?? 0;
    let to = at;
    for (; to > start && compare(items[to - 1] ?? 0, item) > 0; to--) items[to] = items[to - 1] ?? 0;
    items[to] = item;
  }
}
