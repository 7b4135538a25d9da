import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { binaryIdOf } from '../format/object-id.ts';
import { addClaimTable, type ClaimTables, claims, isCrowded } from './claims.ts';

const idOfNumber = (number: number) => binaryIdOf(Buffer.from(`${number}`));
const blobs = 200_000;

describe('claims of blobs', () => {
  it('are seen wherever a table followed the last one, by who shares the tables', () => {
    const tables: ClaimTables = [];
    const writer = claims(tables);
    for (let at = 0; at < blobs; at++) {
      if (isCrowded(tables)) addClaimTable(tables);
      assert.equal(writer.claim(idOfNumber(at), at % 3 === 0 ? 'tree' : 'data'), true);
    }
    const reader = claims([...tables]);
    for (let at = 0; at < blobs; at++) {
      assert.equal(reader.has(idOfNumber(at), 'tree'), at % 3 === 0);
      assert.equal(reader.has(idOfNumber(at), 'data'), at % 3 !== 0);
      if (at % 1000 === 0) assert.equal(writer.claim(idOfNumber(at), at % 3 === 0 ? 'tree' : 'data'), false);
    }
    assert.equal(reader.has(idOfNumber(blobs), 'data'), false);
  });

  it('take little more memory than their sixteen bytes each', () => {
    const tables: ClaimTables = [];
    const writer = claims(tables);
    for (let at = 0; at < blobs; at++) {
      if (isCrowded(tables)) addClaimTable(tables);
      writer.claim(idOfNumber(at), 'data');
    }
    const bytes = tables.reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert.ok(bytes <= (blobs / 0.75) * 16 * 1.4, `${bytes / blobs} bytes a blob`);
    assert.ok(tables.length <= 8, `${tables.length} tables`);
  });
});
