/** A plan's list of objects as it lies in a Migration's status: one JSON a line, gzip, base64. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { parse } from './schema/index.ts';
import { type PlannedObject, planLimits, plannedObject } from './v1alpha1/migration-plan.ts';

/** What a reader unpacks at most. */
const maxUnpackedBytes = 64 * 1024 * 1024;

export interface PackedPlan {
  readonly packed: string;
  /** How many of the objects are in it. */
  readonly count: number;
}

/** As much as fits: the changes of fields go first, then the last objects. */
export function packObjects(objects: readonly PlannedObject[], limit: number = planLimits.packed): PackedPlan {
  const whole = pack(objects);
  if (whole.length <= limit) return { packed: whole, count: objects.length };
  let kept = objects.map(({ changes: _, ...object }) => object);
  for (;;) {
    const packed = pack(kept);
    if (packed.length <= limit) return { packed, count: kept.length };
    kept = kept.slice(0, Math.floor((kept.length * limit * 0.95) / packed.length));
  }
}

const pack = (objects: readonly PlannedObject[]): string =>
  gzipSync(objects.map((object) => JSON.stringify(object)).join('\n')).toString('base64');

/** @throws SchemaError for anything but what {@link packObjects} made */
export function unpackObjects(packed: string): readonly PlannedObject[] {
  const text = gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: maxUnpackedBytes }).toString();
  return text === '' ? [] : text.split('\n').map((line) => parse(plannedObject, JSON.parse(line)));
}
