import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ResourceQuota } from '../../../kube/client/core.ts';
import type { PodTraits } from '../plan-messages.ts';
import { demandOfClaims, findExceeded, findMisfits, findScopedExceeded, type PodDemand } from './decide-quota.ts';
import type { PodDefaults } from './quota-scopes.ts';

const quota = (
  hard: Readonly<Record<string, string>>,
  used: Readonly<Record<string, string>> = {},
  spec: ResourceQuota['spec'] = {},
): ResourceQuota => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'q', namespace: 'db' },
  spec: { hard, ...spec },
  status: { hard, used },
});
const gib = 1n << 30n;
const claims = [
  { name: 'a', sizeBytes: gib, storageClass: 'fast' },
  { name: 'b', sizeBytes: 2n * gib, storageClass: 'slow' },
];

for (const [what, one, crossed] of [
  ['room for all', quota({ 'requests.storage': '10Gi' }, { 'requests.storage': '7Gi' }), undefined],
  [
    'too little storage',
    quota({ 'requests.storage': '10Gi' }, { 'requests.storage': '8Gi' }),
    /requests\.storage 10Gi, 8Gi is used and 3Gi more/,
  ],
  [
    'too few claims',
    quota({ persistentvolumeclaims: '3' }, { persistentvolumeclaims: '2' }),
    /persistentvolumeclaims 3, 2 is used and 2 more/,
  ],
  [
    'too little of a class',
    quota({ 'slow.storageclass.storage.k8s.io/requests.storage': '1Gi' }),
    /slow\.storageclass/,
  ],
  [
    'no claims of a class',
    quota({ 'fast.storageclass.storage.k8s.io/persistentvolumeclaims': '0' }),
    /fast\.storageclass/,
  ],
  ['a quota on other things', quota({ pods: '0' }), undefined],
  ['a quota with scopes', quota({ 'requests.storage': '1' }, {}, { scopes: ['Terminating'] }), undefined],
] as const)
  it(`sees ${what}`, () => {
    const [found] = findExceeded([one], demandOfClaims(claims));
    if (crossed === undefined) assert.equal(found, undefined);
    else assert.match(found?.message ?? '', crossed);
  });

it('counts thousandths of processors, under either name', () => {
  const demands = [{ resource: 'requests.cpu', milli: 600n }];
  assert.equal(findExceeded([quota({ cpu: '1' }, { cpu: '400m' })], demands).length, 0);
  const [found] = findExceeded([quota({ cpu: '1' }, { cpu: '500m' })], demands);
  assert.match(found?.message ?? '', /cpu 1, 500m is used and 600m more/);
});

it('sees claims that a LimitRange refuses', () => {
  const range = (min: string, max: string) => ({
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'r', namespace: 'db' },
    spec: { limits: [{ type: 'PersistentVolumeClaim', min: { storage: min }, max: { storage: max } }] },
  });
  assert.deepEqual(findMisfits([range('1Gi', '2Gi')], claims), []);
  assert.match(findMisfits([range('1Gi', '1Gi')], claims).join(), /at most 1Gi, and b has/);
  assert.match(findMisfits([range('2Gi', '3Gi')], claims).join(), /at least 2Gi, and a has/);
});

const pods = (milli: bigint, traits: Partial<PodTraits> = {}): PodDemand => ({
  resource: 'pods',
  milli: milli * 1000n,
  pod: { bestEffort: false, terminating: false, crossNamespaceAffinity: false, ...traits },
});
const noDefaults: PodDefaults = { priorityClass: undefined, containers: 'None' };
const ofClass = (operator: string, ...values: readonly string[]): ResourceQuota['spec'] => ({
  scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator, values: [...values] }] },
});

describe('a quota with scopes', () => {
  for (const [what, spec, demands, more] of [
    ['BestEffort', { scopes: ['BestEffort'] }, [pods(3n, { bestEffort: true }), pods(9n)], 3],
    ['NotBestEffort', { scopes: ['NotBestEffort'] }, [pods(3n, { bestEffort: true }), pods(9n)], 9],
    ['Terminating', { scopes: ['Terminating'] }, [pods(9n), pods(3n, { terminating: true })], 3],
    ['NotTerminating', { scopes: ['NotTerminating'] }, [pods(4n), pods(3n, { terminating: true })], 4],
    ['two scopes', { scopes: ['NotTerminating', 'BestEffort'] }, [pods(9n), pods(3n, { bestEffort: true })], 3],
    ['classes', ofClass('In', 'gold'), [pods(9n), pods(3n, { priorityClass: 'gold' })], 3],
    ['other classes', ofClass('NotIn', 'gold'), [pods(4n), pods(9n, { priorityClass: 'gold' })], 4],
    ['any class', ofClass('Exists'), [pods(9n), pods(3n, { priorityClass: 'gold' })], 3],
    ['no class', ofClass('DoesNotExist'), [pods(4n), pods(9n, { priorityClass: 'gold' })], 4],
    ['CrossNamespacePodAffinity', { scopes: ['CrossNamespacePodAffinity'] }, [pods(9n)], undefined],
    ['a sum of pods', { scopes: ['NotBestEffort'] }, [pods(2n), pods(3n, { priorityClass: 'gold' })], 5],
  ] as const)
    it(`counts what its scope says: ${what}`, () => {
      const { exceeded, notJudged } = findScopedExceeded([quota({ pods: '2' }, {}, spec)], demands, noDefaults);
      assert.deepEqual(notJudged, []);
      const wanted =
        more === undefined ? [] : [`resourcequota db/q allows pods 2, 0 is used and ${more} more is needed`];
      assert.deepEqual(
        exceeded.map(({ message }) => message),
        wanted,
      );
    });

  it('gives pods that name none the default PriorityClass', () => {
    const one = quota({ pods: '2' }, {}, ofClass('In', 'gold'));
    assert.equal(findScopedExceeded([one], [pods(3n)], { ...noDefaults, priorityClass: 'gold' }).exceeded.length, 1);
  });

  for (const [what, spec, defaults, why] of [
    ['a LimitRange decides', { scopes: ['BestEffort'] }, { ...noDefaults, containers: 'Given' }, /a LimitRange/],
    ['it counts claims', { scopes: ['VolumeAttributesClass'] }, noDefaults, /counts only some claims/],
    ['its scope is new', { scopes: ['Fancy'] }, noDefaults, /its scope Fancy is not known/],
  ] as const)
    it(`is named where it can't be judged: ${what}`, () => {
      const demands = [pods(9n, { bestEffort: true })];
      const { exceeded, notJudged } = findScopedExceeded([quota({ pods: '2' }, {}, spec)], demands, defaults);
      assert.deepEqual(exceeded, []);
      assert.match(notJudged.join(), /resourcequota db\/q was not judged/);
      assert.match(notJudged.join(), why);
    });
});
