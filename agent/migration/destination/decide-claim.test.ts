import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ClaimFacts, decideClaim } from './decide-claim.ts';
import { nameBusy } from './gather-claim-facts.ts';

const GiB = 1n << 30n;

function facts(over: Partial<ClaimFacts> = {}): ClaimFacts {
  return {
    incoming: {
      namespace: 'mysql',
      name: 'data',
      pairId: 'p1',
      sizeBytes: GiB,
      volumeMode: 'Filesystem',
      storageClass: 'fast',
    },
    existing: undefined,
    memory: undefined,
    activePods: [],
    busyWith: undefined,
    storageClasses: [{ name: 'fast', isDefault: false, canGrow: 'Yes' }],
    overwrite: 'Refuse',
    ...over,
  };
}

const existing = {
  ...{ uid: 'u1', phase: 'Bound', terminating: false, sizeBytes: GiB, storageClass: 'fast' },
  volumeMode: 'Filesystem' as const,
};
const fixed = [{ name: 'fast', isDefault: false, canGrow: 'No' }] as const;
const device = { ...existing, sizeBytes: 5n, volumeMode: 'Block' as const };
const memory = { claimUid: 'u1', pairId: 'p1', digest: 'd1', point: 3 };

const accepted: readonly (readonly [string, Partial<ClaimFacts>, ReturnType<typeof decideClaim>])[] = [
  ['fills a claim that is not there', {}, { do: 'fill', storageClass: 'fast' }],
  [
    'updates a claim that came through this pair',
    { existing, memory },
    { do: 'update', expectDigest: 'd1', scaleDown: [] },
  ],
  [
    'overwrites an active claim when told to, scaling its pods down',
    { existing, memory, activePods: ['mysql-0'], overwrite: 'Overwrite' },
    { do: 'update', expectDigest: undefined, scaleDown: ['mysql-0'] },
  ],
  [
    'updates a claim that has become too small for its source, and can grow (M11)',
    { existing: { ...existing, sizeBytes: 5n }, memory },
    { do: 'update', expectDigest: 'd1', scaleDown: [] },
  ],
  [
    'overwrites a raw device that grew at the source when told to',
    { existing: device, memory, incoming: { ...facts().incoming, volumeMode: 'Block' }, overwrite: 'Overwrite' },
    { do: 'update', expectDigest: undefined, scaleDown: [] },
  ],
  [
    'overwrites a foreign claim when told to',
    { existing, overwrite: 'Overwrite' },
    { do: 'update', expectDigest: undefined, scaleDown: [] },
  ],
];

const refused: readonly (readonly [string, Partial<ClaimFacts>, string, RegExp])[] = [
  [
    'a missing StorageClass, listing those there are',
    { storageClasses: [{ name: 'slow', isDefault: true, canGrow: 'No' }] },
    'StorageClassMissing',
    /fast.*it has: slow/,
  ],
  [
    'no class and no default',
    { incoming: { ...facts().incoming, storageClass: undefined } },
    'StorageClassMissing',
    /no default/,
  ],
  [
    'an active destination, naming the pod',
    { existing, memory, activePods: ['mysql-0'] },
    'DestinationActive',
    /pod mysql-0/,
  ],
  [
    'a claim that another pair filled',
    { existing, memory: { ...memory, pairId: 'p2' } },
    'ClaimNotOurs',
    /did not come/,
  ],
  [
    'a claim that was deleted and made again',
    { existing, memory: { ...memory, claimUid: 'old' } },
    'ClaimNotOurs',
    /did not come/,
  ],
  [
    'a claim that is going away',
    { existing: { ...existing, terminating: true }, memory },
    'ClaimTerminating',
    /being deleted/,
  ],
  [
    'a claim too small whose StorageClass can not grow it',
    { existing: { ...existing, sizeBytes: 5n }, memory, storageClasses: fixed },
    'DestinationTooSmall',
    /5 bytes/,
  ],
  [
    'a raw device that grew at the source',
    { existing: device, memory, incoming: { ...facts().incoming, volumeMode: 'Block' } },
    'DestinationTooSmall',
    /5 bytes/,
  ],
  ['a claim another operation writes', { existing, memory, busyWith: 'm7' }, 'DestinationBusy', /m7/],
  ['another volume mode', { existing: { ...existing, volumeMode: 'Block' }, memory }, 'VolumeModeDiffers', /Block/],
  ['a claim that is not bound', { existing: { ...existing, phase: 'Lost' }, memory }, 'ClaimNotBound', /Lost/],
];

const ofM1 = { operation: 'u1', migration: 'shop/m1', pairId: 'p1' };
describe('who writes a claim', () => {
  it('is named to its own pair', () => assert.equal(nameBusy(ofM1, 'p1'), 'Migration shop/m1'));
  it('is not named to another', () => assert.equal(nameBusy(ofM1, 'p2'), 'operation u1 of another pair'));
});

describe('decideClaim', () => {
  for (const [name, over, expected] of accepted) it(name, () => assert.deepEqual(decideClaim(facts(over)), expected));
  for (const [name, over, code, message] of refused)
    it(`refuses ${name}`, () => {
      const decision = decideClaim(facts(over));
      assert.equal(decision.do, 'refuse');
      if (decision.do !== 'refuse') return;
      assert.equal(decision.code, code);
      assert.match(decision.message, message);
    });
});
