import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { binaryIdOf } from '../format/object-id.ts';
import { claims, isCrowded, largerTable, newClaimTable } from './claims.ts';

const idOfNumber = (number: number) => binaryIdOf(Buffer.from(`${number}`));

describe('claims of blobs', () => {
  it('are all in the larger table', () => {
    let table = newClaimTable(1024);
    for (let at = 0; at < 5000; at++) {
      if (isCrowded([table])) table = largerTable(table);
      assert.equal(claims([table]).claim(idOfNumber(at), at % 3 === 0 ? 'tree' : 'data'), true);
    }
    const known = claims([table]);
    for (let at = 0; at < 5000; at++) {
      assert.equal(known.has(idOfNumber(at), 'tree'), at % 3 === 0);
      assert.equal(known.has(idOfNumber(at), 'data'), at % 3 !== 0);
    }
    assert.equal(known.has(idOfNumber(5000), 'data'), false);
    assert.equal(isCrowded([table]), false);
  });
});
