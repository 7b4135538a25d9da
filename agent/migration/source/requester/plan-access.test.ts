import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../../../kube/client/core.ts';
import { describeQuestion } from '../../../requester/access-question.ts';
import { planAccess, planReading, type WantedAccess } from './plan-access.ts';

const nothing: WantedAccess = { pairs: [], namespaces: ['shop'], volumes: 'Stay', rules: 'None' };
const asked = (wanted: Partial<WantedAccess>) => planAccess({ ...nothing, ...wanted }).map(describeQuestion);

describe('what a requester must be allowed', () => {
  const use = 'use clusterpairs.stork.libopenstorage.org';
  const cases: readonly (readonly [name: string, wanted: Partial<WantedAccess>, questions: readonly string[]])[] = [
    [
      'for pairs: to use each',
      { pairs: ['stork-system/west', 'shop/admin'] },
      [`${use} west in namespace stork-system`, `${use} admin in namespace shop`],
    ],
    [
      'for volumes: to see claims and run pods beside them, in each namespace',
      { volumes: 'Travel', namespaces: ['shop', 'blog'] },
      ['shop', 'blog'].flatMap((namespace) => [
        `get persistentvolumeclaims in namespace ${namespace}`,
        `list persistentvolumeclaims in namespace ${namespace}`,
        `create pods in namespace ${namespace}`,
      ]),
    ],
    ['for rules: to run commands in pods', { rules: 'Run' }, ['create pods/exec in namespace shop']],
    ['for nothing: nothing', {}, []],
  ];
  for (const [name, wanted, questions] of cases) it(name, () => assert.deepEqual(asked(wanted), questions));
});

describe('what a requester must be able to read', () => {
  it('is what travels: kinds in their namespace, cluster-scoped objects by name, a Namespace by its own rights', () => {
    const travelling = [
      { resource: core.secrets, namespace: 'shop', name: 'key' },
      { resource: core.priorityClasses, namespace: undefined, name: 'high' },
      { resource: core.namespaces, namespace: undefined, name: 'shop' },
      { resource: core.customResourceDefinitions, namespace: undefined, name: 'caches.example.org' },
    ];
    assert.deepEqual(planReading(travelling).map(describeQuestion), [
      'get secrets in namespace shop',
      'list secrets in namespace shop',
      'get priorityclasses.scheduling.k8s.io high',
      'get namespaces shop in namespace shop',
    ]);
  });
});
