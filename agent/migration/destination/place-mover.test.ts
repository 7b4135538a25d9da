import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PersistentVolume } from '../../../kube/client/core.ts';
import { placeMover } from './place-mover.ts';

const inZone = (...values: string[]) => ({ matchExpressions: [{ key: 'zone', operator: 'In', values }] });
const onDisk = (value: string) => ({ matchExpressions: [{ key: 'disk', operator: 'In', values: [value] }] });
const aVolume = (...terms: readonly ReturnType<typeof inZone>[]): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv' },
  spec: terms.length === 0 ? {} : { nodeAffinity: { required: { nodeSelectorTerms: [...terms] } } },
});
const podOn = (...terms: readonly ReturnType<typeof inZone>[]) => ({
  nodeSelector: { os: 'linux' },
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
});
const termsOf = (placement: ReturnType<typeof placeMover>): unknown => JSON.parse(JSON.stringify(placement.affinity));
const required = (...terms: readonly object[]) => ({
  nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
});
const term = (...expressions: readonly ReturnType<typeof inZone>[]) => ({
  matchExpressions: expressions.flatMap(({ matchExpressions }) => matchExpressions),
  matchFields: [],
});

describe('placeMover', () => {
  it("is the pod's placement where its other volumes can be mounted anywhere", () => {
    assert.deepEqual(placeMover(podOn(inZone('a')), [aVolume()]), podOn(inZone('a')));
    assert.deepEqual(placeMover(undefined, []), {});
  });

  it('is where the other volumes are, keeping the selector of the pod', () => {
    const placed = placeMover({ nodeSelector: { os: 'linux' } }, [aVolume(inZone('b'))]);
    assert.deepEqual(placed.nodeSelector, { os: 'linux' });
    assert.deepEqual(termsOf(placed), required(inZone('b')));
  });

  it('is where the pod may run and every other volume can be mounted', () => {
    const placed = placeMover(podOn(onDisk('ssd'), onDisk('nvme')), [aVolume(inZone('a', 'b')), aVolume(inZone('b'))]);
    const both = [inZone('a', 'b'), inZone('b')] as const;
    assert.deepEqual(termsOf(placed), required(term(onDisk('ssd'), ...both), term(onDisk('nvme'), ...both)));
  });
});
