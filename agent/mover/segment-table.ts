/**
 * Finds a number by a SHA-256: open addressing in typed arrays, 16 bytes a slot, outside the garbage-collected heap. Only eight
 * bytes of the hash are kept, so an answer is a hint to be checked. At its limit it forgets new ones: hints are optional.
 */
export interface SegmentTable {
  add(hash: Uint8Array, value: number): void;
  /** Possible values, oldest first. */
  find(hash: Uint8Array): readonly number[];
}

const firstSlots = 1024;
/** 2^21 slots: 32 MB, a million segments. */
const maxSlots = 2 ** 21;

export function segmentTable(): SegmentTable {
  let slots = firstSlots;
  let keys = new Uint32Array(slots * 2);
  let values = new Float64Array(slots);
  let used = 0;
  const put = (high: number, low: number, value: number) => {
    let slot = low % slots;
    while (values[slot] !== 0) slot = (slot + 1) % slots;
    keys[slot * 2] = high;
    keys[slot * 2 + 1] = low;
    values[slot] = value;
  };
  const grow = () => {
    const [oldKeys, oldValues] = [keys, values];
    slots *= 2;
    keys = new Uint32Array(slots * 2);
    values = new Float64Array(slots);
    for (const [slot, value] of oldValues.entries()) {
      if (value !== 0) put(oldKeys[slot * 2] ?? 0, oldKeys[slot * 2 + 1] ?? 0, value);
    }
  };
  return {
    add(hash, value) {
      if (used * 2 >= slots) {
        if (slots >= maxSlots) return;
        grow();
      }
      const [high, low] = keyOf(hash);
      // Zero means free.
      put(high, low, value + 1);
      used++;
    },
    find(hash) {
      const [high, low] = keyOf(hash);
      const found: number[] = [];
      for (let slot = low % slots; values[slot] !== 0 && found.length < 4; slot = (slot + 1) % slots) {
        if (keys[slot * 2] === high && keys[slot * 2 + 1] === low) found.push((values[slot] ?? 1) - 1);
      }
      return found;
    },
  };
}

function keyOf(hash: Uint8Array): readonly [number, number] {
  const view = new DataView(hash.buffer, hash.byteOffset, 8);
  return [view.getUint32(0), view.getUint32(4)];
}
