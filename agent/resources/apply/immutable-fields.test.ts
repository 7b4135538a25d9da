import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject } from '../../../kube/client/client.ts';
import { whyImmutable } from './immutable-fields.ts';

const anObject = (apiVersion: string, kind: string, fields: Readonly<Record<string, unknown>>): AnyObject => ({
  apiVersion,
  kind,
  metadata: { name: 'x', namespace: 'db' },
  ...fields,
});

const claims = (storage: string) => [{ metadata: { name: 'd' }, spec: { resources: { requests: { storage } } } }];
const defaulted = [{ ...claims('1Gi')[0], status: { phase: 'Pending' } }];
const apps = 'apps/v1';
const rbac = 'rbac.authorization.k8s.io/v1';

const cases: readonly (readonly [
  string,
  string,
  Readonly<Record<string, unknown>>,
  Readonly<Record<string, unknown>>,
  string | undefined,
])[] = [
  ['v1', 'Service', { spec: { clusterIP: '10.0.0.9' } }, { spec: { clusterIP: '10.0.0.1' } }, 'spec.clusterIP'],
  ['v1', 'Service', { spec: { type: 'ClusterIP' } }, { spec: { clusterIP: '10.0.0.1' } }, undefined],
  [apps, 'StatefulSet', { spec: { serviceName: 'a' } }, { spec: { serviceName: 'b' } }, 'spec.serviceName'],
  [
    apps,
    'StatefulSet',
    { spec: { volumeClaimTemplates: claims('2Gi') } },
    { spec: { volumeClaimTemplates: defaulted } },
    'spec.volumeClaimTemplates',
  ],
  [
    apps,
    'StatefulSet',
    { spec: { volumeClaimTemplates: claims('1Gi') } },
    { spec: { volumeClaimTemplates: defaulted } },
    undefined,
  ],
  [
    apps,
    'Deployment',
    { spec: { selector: { matchLabels: { a: 'b' } } } },
    { spec: { selector: { matchLabels: { a: 'c' } } } },
    'spec.selector',
  ],
  [
    'batch/v1',
    'Job',
    { spec: { template: { spec: { containers: [{ image: 'b' }] } } } },
    { spec: { template: { spec: { containers: [{ image: 'a' }] } } } },
    'spec.template',
  ],
  [
    rbac,
    'RoleBinding',
    { roleRef: { kind: 'Role', name: 'a' } },
    { roleRef: { kind: 'Role', name: 'b', apiGroup: 'r' } },
    'roleRef',
  ],
  [
    'v1',
    'PersistentVolumeClaim',
    { spec: { storageClassName: 'a' } },
    { spec: { storageClassName: 'b' } },
    'spec.storageClassName',
  ],
  ['v1', 'ConfigMap', { data: { a: 'hidden1' } }, { data: { a: 'hidden2' }, immutable: true }, 'data'],
  ['v1', 'ConfigMap', { data: { a: 'hidden1' } }, { data: { a: 'hidden2' } }, undefined],
  ['v1', 'Secret', { type: 'a' }, { type: 'b' }, 'type'],
  ['example.com/v1', 'Queue', { spec: 1 }, { spec: 2 }, undefined],
];

describe('fields that can not be changed', () => {
  for (const [index, [apiVersion, kind, incoming, live, field]] of cases.entries()) {
    it(`${index}: ${kind} ${field ?? 'has none in the way'}`, () => {
      const why = whyImmutable(anObject(apiVersion, kind, incoming), anObject(apiVersion, kind, live));
      if (field === undefined) return assert.equal(why, undefined);
      assert.ok(why?.startsWith(`${field} can't be changed`), why ?? '');
      assert.match(why ?? '', new RegExp(`delete ${kind.toLowerCase()} db/x on the destination`));
      assert.doesNotMatch(why ?? '', /hidden/, 'no values');
    });
  }
});
