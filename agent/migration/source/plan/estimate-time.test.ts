import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from '../../../../crds/schema/index.ts';
import { type Migration, migrations } from '../../../../crds/v1alpha1/index.ts';
import { type EarlierRun, estimateTime, readRun } from './estimate-time.ts';
import type { PlannedVolume } from './plan-volumes.ts';

const mib = 1024 ** 2;
const volume = (usedBytes?: number, action: PlannedVolume['action'] = 'Fill'): PlannedVolume => ({
  ...{ namespace: 'shop', persistentVolumeClaim: 'data', action },
  ...(usedBytes === undefined ? {} : { usedBytes, usedFrom: 'Storage' }),
});
const migration = (bytesTotal: number, seconds: number): Migration => ({
  ...applyDefaults(migrations.schema, {
    apiVersion: migrations.apiVersion,
    kind: 'Migration',
    metadata: { name: 'first', namespace: 'shop', creationTimestamp: '2026-11-21T06:00:00Z' },
    spec: { clusterPair: 'b', namespaces: ['shop'] },
  }),
  status: {
    volumeMigrationFinishTimestamp: new Date(Date.UTC(2026, 10, 21, 6, 0, seconds)).toISOString(),
    volumes: [{ mode: 'fresh', status: 'Successful', bytesTotal }],
  },
});

const earlier = (bytesTotal: number, seconds: number): EarlierRun | undefined =>
  readRun(migration(bytesTotal, seconds));
const after = (...runs: readonly (EarlierRun | undefined)[]) => runs.filter((run) => run !== undefined);

describe('the time that volumes take', () => {
  it('is that of earlier ones over the same pair', () => {
    const { seconds, bytesPerSecond, how } = estimateTime([volume(1000 * mib)], after(earlier(100 * mib, 10)));
    assert.deepEqual([seconds, bytesPerSecond], [100, 10 * mib]);
    assert.match(how, /speed of the last migration/);
  });

  it('is at most that where only differences are sent', () => {
    assert.match(estimateTime([volume(mib, 'Update')], after(earlier(100 * mib, 10))).how, /at most/);
  });

  it('is that of the link where no earlier migration tells, and says so', () => {
    const { seconds, bytesPerSecond, how } = estimateTime([volume(1000 * mib)], [], 10 * mib);
    assert.deepEqual([seconds, bytesPerSecond], [100, 10 * mib]);
    assert.match(how, /the link as measured now; no earlier migration tells/);
    assert.match(estimateTime([volume()], [], 10 * mib).how, /^unknown: nobody says/);
    assert.match(estimateTime([volume(mib)], after(earlier(100 * mib, 10)), 1).how, /the last migration/);
  });

  for (const [what, volumes, runs, how] of [
    ['no earlier migration', [volume(mib)], [], /^unknown: no earlier migration/],
    ['only small ones', [volume(mib)], after(earlier(mib, 10)), /^unknown: no earlier migration/],
    [
      'a volume nobody knows',
      [volume(mib), volume()],
      after(earlier(100 * mib, 10)),
      /^unknown: nobody says how much 1 of 2/,
    ],
  ] as const)
    it(`is unknown with ${what}`, () => {
      const estimate = estimateTime(volumes, runs);
      assert.equal(estimate.seconds, undefined);
      assert.match(estimate.how, how);
    });

  it('is none without volumes', () => assert.equal(estimateTime([], []).seconds, 0));
});
