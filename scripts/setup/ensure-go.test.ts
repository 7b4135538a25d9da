import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isGoEnough } from './ensure-go.ts';

describe('isGoEnough', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['go version go1.26.8 linux/amd64', '1.26.0', true],
    ['go version go1.26 linux/amd64', '1.26.0', true],
    ['go version go1.26.0 linux/amd64', '1.26.1', false],
    ['go version go1.19.8 linux/amd64', '1.26.0', false],
    ['go version go2.0 linux/amd64', '1.26.3', true],
    ['go: not found', '1.0.0', false],
  ];
  for (const [version, needed, enough] of cases)
    it(`${version} is ${enough ? '' : 'not '}enough for ${needed}`, () =>
      assert.equal(isGoEnough(version, needed), enough));
});
