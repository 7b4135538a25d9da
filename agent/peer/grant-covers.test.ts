import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { grantCovers } from './grant-covers.ts';

describe('a grant', () => {
  const cases: readonly (readonly [granted: readonly string[], namespace: string, covered: boolean])[] = [
    [['shop'], 'shop', true],
    [['shop'], 'blog', false],
    [['*'], 'blog', true],
    [['*'], 'kube-system', false],
    [['*'], 'kube-public', false],
    [['*'], 'kube-node-lease', false],
    [['*'], 'stork-system', false],
    [['*', 'kube-system'], 'kube-system', true],
    [[], 'shop', false],
  ];
  for (const [granted, namespace, covered] of cases)
    it(`of [${granted}] ${covered ? 'covers' : 'does not cover'} ${namespace}`, () =>
      assert.equal(grantCovers(granted, namespace), covered));
});
