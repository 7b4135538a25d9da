import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ResourceQuota } from '../../../kube/client/core.ts';
import { demandOfClaims, findExceeded, findMisfits } from './decide-quota.ts';

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
