import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blobLocations } from './blob-locations.ts';
import { idOf } from './format/object-id.ts';

const idAt = (at: number): string => idOf(Buffer.from(`${at}`));

describe('blob locations', () => {
  it('find each of many blobs, by id and type', () => {
    const locations = blobLocations();
    const count = 5000;
    for (let at = 0; at < count; at++)
      locations.add(idAt(-1 - Math.floor(at / 100)), [
        {
          id: idAt(at),
          type: at % 3 === 0 ? 'tree' : 'data',
          offset: at * 40,
          length: 40,
          uncompressedLength: at || undefined,
        },
      ]);
    assert.equal(locations.size, count);
    for (let at = 0; at < count; at++) {
      const type = at % 3 === 0 ? 'tree' : 'data';
      const found = locations.find(idAt(at), type);
      assert.deepEqual(found, {
        id: idAt(at),
        type,
        pack: idAt(-1 - Math.floor(at / 100)),
        offset: at * 40,
        length: 40,
        uncompressedLength: at || undefined,
      });
      assert.equal(locations.find(idAt(at), type === 'tree' ? 'data' : 'tree'), undefined);
    }
    assert.equal(locations.find(idAt(count), 'data'), undefined);
    assert.equal(locations.size, count);
  });

  it('keep the first place of a blob that lies twice', () => {
    const locations = blobLocations();
    const blob = { id: idAt(1), type: 'data', length: 40, uncompressedLength: undefined } as const;
    locations.add('first', [{ ...blob, offset: 1 }]);
    locations.add('second', [{ ...blob, offset: 2 }]);
    assert.equal(locations.find(idAt(1), 'data')?.pack, 'first');
    assert.deepEqual(locations.packs(), ['first', 'second']);
    assert.deepEqual(['first', 'second', 'third'].map(locations.endOf), [41, 42, 0]);
  });
});
