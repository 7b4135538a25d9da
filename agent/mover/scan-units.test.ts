import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entryTypes } from './entry.ts';
import { decodeUnits, encodeUnits, type ScanUnit } from './scan-units.ts';

describe('units of a scan', () => {
  it('reach a worker as they were', () => {
    const units: ScanUnit[] = [
      ...entryTypes.map((type) => ({ entry: { path: `of/${type}`, type }, place: undefined })),
      { entry: { path: 'a', type: 'file' }, place: { path: 'a', size: 2 ** 42, segment: 0, sparse: true } },
      { entry: undefined, place: { path: 'a', size: 2 ** 42, segment: 2 ** 20 - 1, sparse: true } },
      { entry: { path: '', type: 'volume' }, place: { path: '', size: 1, segment: 0, sparse: false } },
    ];
    assert.deepEqual([...decodeUnits(structuredClone(encodeUnits(units)))], units);
  });
});
