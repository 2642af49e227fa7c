/** A thread that works off the ring until it is closed. A file of its own in the executable: see build.ts. */

import { Ring } from "./ring.ts";
import { Work } from "./work.ts";

declare const self: { onmessage: ((event: { readonly data: unknown }) => void) | null };

self.onmessage = ({ data }) => {
  const [memory, directories] = data as readonly [SharedArrayBuffer, Int32Array<SharedArrayBuffer> | undefined];
  // the executable starts with the machine code compiler all but off
  Bun.unsafe.setJITPolicy(1);
  const ring = new Ring(memory, directories);
  const work = new Work(ring);
  ring.join();
  do {
    for (let slot = ring.claim(); slot !== undefined; slot = ring.claim()) work.perform(slot);
  } while (ring.waitForWork());
};
