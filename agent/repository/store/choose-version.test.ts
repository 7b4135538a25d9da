import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseVersion, type VersionChoice, wasThere } from './choose-version.ts';
import { newestFirst, type ObjectVersion } from './object-versions.ts';
import { timeOfUlid } from './s3-versions.ts';

/** `o3`: an object made at second 3; `d3`: a deletion. Oldest first; the last is what the name stands for now. */
const versionsOf = (text: string): readonly ObjectVersion[] => {
  const words = text.split(' ').filter((word) => word !== '');
  return words
    .map(
      (id, place): ObjectVersion => ({
        id,
        kind: id.startsWith('o') ? 'Object' : 'Deletion',
        sizeBytes: 1,
        madeAt: new Date(Number(id.slice(1)) * 1000),
        isLatest: place === words.length - 1,
      }),
    )
    .toSorted(newestFirst);
};
const told = (choice: VersionChoice): string => {
  if (choice.do === 'Take') return choice.version.id;
  return choice.do === 'Prove' ? choice.candidates.map(({ id }) => id).join(' or ') : '-';
};

const at = new Date(5000);
const digest = `data/aa/${'a'.repeat(64)}`;

// What happened; under a name of its own; under a digest; whether it was there.
const cases = [
  ['', '-', '-', false],
  ['o3', 'o3', 'o3', true],
  ['o3 d7', 'o3', 'o3', true],
  ['o3 o7', 'o3', 'o3', true],
  ['o3 o7 d8 o9', 'o3', 'o3', true],
  ['o3 d4', '-', 'o3', false],
  ['o2 o4', 'o4', 'o4 or o2', true],
  ['o2 d3 o4', 'o4', 'o4 or o2', true],
  ['o2 d3 o7', '-', 'o2 or o7', false],
  ['o7', '-', 'o7', false],
  ['o7 o8', '-', 'o7 or o8', false],
  ['d3', '-', '-', false],
  // In the second that was asked for.
  ['o5', 'o5', 'o5', true],
  ['o3 d5', '-', 'o3', false],
] as const;

describe('the version that counts', () => {
  for (const [history, own, byDigest, present] of cases)
    it(`of "${history}" at 5 is ${own}, by its digest ${byDigest}`, () => {
      const versions = versionsOf(history);
      assert.equal(told(chooseVersion('config', versions, at)), own);
      assert.equal(told(chooseVersion(digest, versions, at)), byDigest);
      assert.equal(wasThere(versions, at), present);
    });

  it('within one second: what counts now is the newest, then what there was rather than that it was removed', () => {
    assert.deepEqual(
      versionsOf('o3 d3 o3').map(({ kind, isLatest }) => [kind, isLatest]),
      [
        ['Object', true],
        ['Object', false],
        ['Deletion', false],
      ],
    );
  });
});

describe('version ids of versitygw', () => {
  it('tell when they were made; other servers have others', () => {
    assert.equal(timeOfUlid('01M806P3DRMDAMX0EEMYPCCKZM')?.toISOString(), '2026-11-21T23:22:25.592Z');
    for (const id of ['null', '3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY', '9f1c5b2e-0000-4000-8000-000000000000', ''])
      assert.equal(timeOfUlid(id), undefined);
  });
});
