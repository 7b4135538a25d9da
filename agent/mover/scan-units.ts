/** Units of a scan on their way to a worker: as columns, which cross between threads at a fraction of what objects cost. */
import { type Entry, entryTypes } from './entry.ts';
import { fail } from './mover-error.ts';
import type { ByteString } from './syscalls.ts';

/** One segment of one file as the walk saw it. */
export interface SegmentPlace {
  readonly path: ByteString;
  readonly size: number;
  readonly segment: number;
  readonly sparse: boolean;
}

export interface ScanUnit {
  /** When its attributes are wanted. */
  readonly entry: Pick<Entry, 'path' | 'type'> | undefined;
  /** When its content is. */
  readonly place: SegmentPlace | undefined;
}

export interface ScanUnits {
  readonly paths: readonly ByteString[];
  /** Index into `entryTypes` of the entry, and what is wanted. */
  readonly kinds: Uint8Array;
  readonly sizes: Float64Array;
  readonly segments: Float64Array;
}

const flags = { entry: 16, place: 32, sparse: 64 } as const;
const typeMask = 15;

export function encodeUnits(units: readonly ScanUnit[]): ScanUnits {
  const kinds = new Uint8Array(units.length);
  const sizes = new Float64Array(units.length);
  const segments = new Float64Array(units.length);
  const paths = units.map(({ entry, place }, at) => {
    if (entry !== undefined) kinds[at] = flags.entry | entryTypes.indexOf(entry.type);
    if (place !== undefined) {
      kinds[at] = (kinds[at] ?? 0) | flags.place | (place.sparse ? flags.sparse : 0);
      sizes[at] = place.size;
      segments[at] = place.segment;
    }
    return (entry ?? place)?.path ?? '';
  });
  return { paths, kinds, sizes, segments };
}

export function* decodeUnits({ paths, kinds, sizes, segments }: ScanUnits): Generator<ScanUnit> {
  for (const [at, path] of paths.entries()) {
    const kind = kinds[at] ?? 0;
    const type = entryTypes[kind & typeMask] ?? fail('MoverFault', 'A unit has an unknown type');
    const place = { path, size: sizes[at] ?? 0, segment: segments[at] ?? 0, sparse: (kind & flags.sparse) !== 0 };
    yield {
      entry: (kind & flags.entry) === 0 ? undefined : { path, type },
      place: (kind & flags.place) === 0 ? undefined : place,
    };
  }
}
