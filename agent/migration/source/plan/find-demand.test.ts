import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject } from '../../../../kube/client/client.ts';
import { storkNames } from '../../../resources/names.ts';
import { findDemand, findPodDemand } from './find-demand.ts';
import { findReferences } from './find-references.ts';

const workload = (kind: string, replicas: string, pod: object): AnyObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'web', namespace: 'shop', annotations: { [storkNames.migrationReplicas]: replicas } },
  spec: { replicas: 0, template: { spec: { containers: [{ name: 'web' }], ...pod } } },
});
const created = (kind: string, group = 'apps') =>
  ({ group, version: 'v1', kind, namespace: 'shop', name: 'web', action: 'Create' }) as const;

describe('what objects ask of quotas', () => {
  it('counts what is created, and the pods of workloads as they will run', () => {
    const resources = { requests: { cpu: '250m', memory: '1Gi' }, limits: { memory: '2Gi' } };
    const web = workload('Deployment', '3', { containers: [{ name: 'web', resources }] });
    assert.deepEqual(
      Object.fromEntries(findDemand([web], [created('Deployment')]).map(({ resource, milli }) => [resource, milli])),
      {
        'count/deployments.apps': 1000n,
        pods: 3000n,
        'requests.cpu': 750n,
        'requests.memory': 3n * 1000n * 2n ** 30n,
        'limits.memory': 6n * 1000n * 2n ** 30n,
      },
    );
  });

  it('leaves out what is there already', () => {
    const web = workload('Deployment', '3', {});
    assert.deepEqual(findDemand([web], [{ ...created('Deployment'), action: 'Update' }]), []);
  });

  it('tells pods apart by what scopes of quotas look at', () => {
    const affinity = {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [{ podAffinityTerm: { namespaces: ['other'] } }],
      },
    };
    const resources = { limits: { memory: '1Gi' } };
    const found = (pod: object) => findPodDemand([workload('Deployment', '2', pod)], [created('Deployment')])[0]?.pod;
    const plain = { bestEffort: true, terminating: false, crossNamespaceAffinity: false };
    assert.deepEqual(found({}), plain);
    assert.deepEqual(found({ containers: [{ resources }] }), { ...plain, bestEffort: false });
    assert.deepEqual(found({ activeDeadlineSeconds: 60 }), { ...plain, terminating: true });
    assert.deepEqual(found({ priorityClassName: 'gold' }), { ...plain, priorityClass: 'gold' });
    assert.deepEqual(found({ affinity }), { ...plain, crossNamespaceAffinity: true });
  });

  for (const [kind, apiVersion, plural] of [
    ['NetworkPolicy', 'networking.k8s.io/v1', 'count/networkpolicies.networking.k8s.io'],
    ['Ingress', 'networking.k8s.io/v1', 'count/ingresses.networking.k8s.io'],
    ['Endpoints', 'v1', 'count/endpoints'],
    ['ConfigMap', 'v1', 'count/configmaps'],
  ] as const)
    it(`counts a ${kind} as ${plural}`, () => {
      const group = apiVersion.includes('/') ? 'networking.k8s.io' : '';
      const object = { apiVersion, kind, metadata: { name: 'web', namespace: 'shop' } };
      assert.equal(findDemand([object], [created(kind, group)])[0]?.resource, plural);
    });
});

describe('what objects name', () => {
  it('finds classes, once each, unless they come along or every cluster has them', () => {
    const gold = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'gold' } };
    const pod = { priorityClassName: 'gold', runtimeClassName: 'kata' };
    const ingress = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { ingressClassName: 'nginx' },
    };
    const system = workload('DaemonSet', '', { priorityClassName: 'system-node-critical', runtimeClassName: 'kata' });
    assert.deepEqual(findReferences([gold, workload('Deployment', '1', pod), ingress, system]), [
      { kind: 'RuntimeClass', name: 'kata', neededBy: 'deployment shop/web' },
      { kind: 'IngressClass', name: 'nginx', neededBy: 'ingress shop/web' },
    ]);
  });

  it('finds a class that would come along, but is refused', () => {
    const gold = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'gold' } };
    const objects = [gold, workload('Deployment', '1', { priorityClassName: 'gold' })];
    assert.deepEqual(findReferences(objects, [{ kind: 'PriorityClass', name: 'gold' }]), [
      { kind: 'PriorityClass', name: 'gold', neededBy: 'deployment shop/web' },
    ]);
  });
});
