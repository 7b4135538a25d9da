import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject, ObjectMeta, ServedResource } from '../../../kube/client/client.ts';
import { storkNames } from '../names.ts';
import { type CollectFacts, whySkipped } from './decide-collect.ts';
import { isBindingOf, isRelated, readRelations } from './decide-related.ts';
import { chooseKinds } from './kinds.ts';

const facts: CollectFacts = {
  selectors: {},
  excludeSelectors: {},
  ownerCheck: 'Check',
  networkPoliciesWithCidr: 'Skip',
  listedUids: new Set(['uid-deployment']),
  headlessServices: new Set(['shop/headless']),
};

const anObject = (
  apiVersion: string,
  kind: string,
  metadata: Partial<ObjectMeta> = {},
  fields: Readonly<Record<string, unknown>> = {},
): AnyObject => ({ apiVersion, kind, metadata: { name: 'x', namespace: 'shop', ...metadata }, ...fields });

const owner = (kind: string, uid: string) => ({ apiVersion: 'apps/v1', kind, name: 'o', uid, controller: true });
const applied = { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } };
const policy = (peer: unknown) =>
  anObject('networking.k8s.io/v1', 'NetworkPolicy', {}, { spec: { egress: [{ to: [peer] }] } });
const cidr = { ipBlock: { cidr: '10.0.0.0/8' } };

describe('which objects of a namespace stay behind', () => {
  const stays: readonly (readonly [string, AnyObject, RegExp])[] = [
    ['being deleted', anObject('v1', 'ConfigMap', { deletionTimestamp: 't' }), /being deleted/],
    ['annotated', anObject('v1', 'ConfigMap', { annotations: { [storkNames.skipResource]: 'true' } }), /skip-resource/],
    [
      'annotated the old way',
      anObject('v1', 'ConfigMap', { annotations: { [storkNames.skipResourceOld]: 'true' } }),
      /skip/,
    ],
    ['of ours', anObject('v1', 'ConfigMap', { labels: { 'app.kubernetes.io/managed-by': 'stork-agent' } }), /Stork/],
    ['the root CA', anObject('v1', 'ConfigMap', { name: 'kube-root-ca.crt' }), /every cluster/],
    ['the default ServiceAccount', anObject('v1', 'ServiceAccount', { name: 'default' }), /every cluster/],
    ['a generated token', anObject('v1', 'Secret', { name: 'default-token-x2x4z' }), /every cluster/],
    ['a system role', anObject('rbac.authorization.k8s.io/v1', 'Role', { name: 'system:node' }), /every cluster/],
    ['GKE’s quota', anObject('v1', 'ResourceQuota', { name: 'gke-resource-quotas' }), /every cluster/],
    [
      'a ReplicaSet of a collected Deployment',
      anObject('apps/v1', 'ReplicaSet', { ownerReferences: [owner('Deployment', 'uid-deployment')] }),
      /deployment o makes it again/,
    ],
    ['what belongs to a pod', anObject('v1', 'ConfigMap', { ownerReferences: [owner('Pod', 'uid-pod')] }), /pod o/],
    ['made Endpoints', anObject('v1', 'Endpoints'), /endpoints controller/],
    ['headless Endpoints', anObject('v1', 'Endpoints', { ...applied, name: 'headless' }), /endpoints controller/],
    [
      'Endpoints of pods',
      anObject('v1', 'Endpoints', applied, { subsets: [{ addresses: [{ targetRef: { kind: 'Pod' } }] }] }),
      /pods of this cluster/,
    ],
    ['a NetworkPolicy with a CIDR', policy(cidr), /includeNetworkPolicyWithCIDR/],
  ];
  for (const [name, object, reason] of stays) {
    it(name, () => assert.match(whySkipped(object, facts) ?? 'it travels', reason));
  }

  const goes: readonly (readonly [string, AnyObject, Partial<CollectFacts>])[] = [
    ['a ConfigMap', anObject('v1', 'ConfigMap'), {}],
    [
      'a default ServiceAccount with pull secrets of its own',
      anObject('v1', 'ServiceAccount', { name: 'default' }, { imagePullSecrets: [{ name: 'registry' }] }),
      {},
    ],
    [
      'a child whose owner stays',
      anObject('apps/v1', 'ReplicaSet', { ownerReferences: [owner('Rollout', 'uid-elsewhere')] }),
      {},
    ],
    [
      'a child that says so',
      anObject('apps/v1', 'ReplicaSet', {
        ownerReferences: [owner('Deployment', 'uid-deployment')],
        annotations: { [storkNames.skipOwnerCheck]: 'true' },
      }),
      {},
    ],
    [
      'any child when the owner check is off',
      anObject('apps/v1', 'ReplicaSet', { ownerReferences: [owner('Deployment', 'uid-deployment')] }),
      { ownerCheck: 'Ignore' },
    ],
    ['Endpoints made by hand', anObject('v1', 'Endpoints', applied, { subsets: [{ addresses: [{ ip: 'x' }] }] }), {}],
    [
      'Endpoints that say so',
      anObject('v1', 'Endpoints', { annotations: { [storkNames.includeResource]: 'true' } }),
      {},
    ],
    ['a NetworkPolicy with a CIDR when asked for', policy(cidr), { networkPoliciesWithCidr: 'Include' }],
    ['a NetworkPolicy between pods', policy({ podSelector: {} }), {}],
    [
      'a Secret of a Deployment’s',
      anObject('v1', 'Secret', { ownerReferences: [owner('Deployment', 'uid-deployment')] }),
      {},
    ],
  ];
  for (const [name, object, more] of goes) {
    it(`not ${name}`, () => assert.equal(whySkipped(object, { ...facts, ...more }), undefined));
  }
});

describe('which kinds are taken along', () => {
  const served = (
    group: string,
    version: string,
    kind: string,
    fields: Partial<ServedResource> = {},
  ): ServedResource => ({
    group,
    version,
    kind,
    plural: `${kind.toLowerCase()}s`,
    namespaced: true,
    verbs: ['list', 'create'],
    categories: [],
    preferred: true,
    ...fields,
  });
  const all = [
    served('', 'v1', 'Pod'),
    served('', 'v1', 'ConfigMap'),
    served('apps', 'v1', 'Deployment'),
    served('batch', 'v1', 'Job'),
    served('autoscaling', 'v2', 'HorizontalPodAutoscaler'),
    served('rbac.authorization.k8s.io', 'v1', 'ClusterRole', { namespaced: false }),
    served('example.com', 'v1', 'Database', { preferred: false }),
    served('example.com', 'v2', 'Database'),
    served('example.com', 'v1', 'Region', { namespaced: false }),
    served('snapshot.storage.k8s.io', 'v1', 'VolumeSnapshot'),
    served('stork.libopenstorage.org', 'v1alpha1', 'Migration'),
    served('metrics.k8s.io', 'v1beta1', 'PodMetrics', { verbs: ['list'] }),
  ];
  const customKinds = new Set([
    'example.com/Database',
    'example.com/Region',
    'snapshot.storage.k8s.io/VolumeSnapshot',
    'stork.libopenstorage.org/Migration',
  ]);
  const names = (more: Partial<Parameters<typeof chooseKinds>[0]> = {}) => {
    const none = { registeredKinds: new Set<string>(), includeOptionalResourceTypes: [], excludeResourceTypes: [] };
    const chosen = chooseKinds({ served: all, customKinds, ...none, ...more });
    return [...chosen.namespaced, ...chosen.related].map(({ kind, version }) => `${kind}/${version}`);
  };

  it('the listed ones and custom resources in their preferred version, nothing of storage machinery', () => {
    assert.deepEqual(names(), ['ConfigMap/v1', 'Deployment/v1', 'Database/v2', 'ClusterRole/v1']);
  });
  it('Jobs only when asked for', () => {
    assert.ok(names({ includeOptionalResourceTypes: ['Job'] }).includes('Job/v1'));
  });
  it('without those excluded by kind', () => {
    const excluded = names({ excludeResourceTypes: ['database', 'Deployment', 'Unknown'] });
    assert.deepEqual(excluded, ['ConfigMap/v1', 'ClusterRole/v1']);
  });
  it('without those excluded with their group, or all of a group', () => {
    const wider = { served: [...all, served('example.org', 'v1', 'Database')] };
    const custom = { customKinds: new Set([...customKinds, 'example.org/Database']) };
    const left = (name: string) => names({ ...wider, ...custom, excludeResourceTypes: [name] }).slice(2, -1);
    assert.deepEqual(left('Database.example.com'), ['Database/v1']);
    assert.deepEqual(left('databases.example.org'), ['Database/v2']);
    assert.deepEqual(left('*.example.org'), ['Database/v2']);
    assert.deepEqual(left('*.example.net'), ['Database/v2', 'Database/v1']);
  });
});

describe('which cluster-scoped objects belong to a namespace', () => {
  const rbac = 'rbac.authorization.k8s.io/v1';
  const account = anObject('v1', 'ServiceAccount', { name: 'shop' });
  const binding = (name: string, subject: unknown) =>
    anObject(
      rbac,
      'ClusterRoleBinding',
      { name },
      { roleRef: { kind: 'ClusterRole', name: 'reader' }, subjects: [subject] },
    );
  const workload = anObject(
    'apps/v1',
    'StatefulSet',
    {},
    {
      spec: { template: { spec: { priorityClassName: 'important' } } },
    },
  );
  const subject = { kind: 'ServiceAccount', namespace: 'shop', name: 'shop' };
  const relations = readRelations(['shop'], [account, workload], [binding('b', subject)]);

  it('bindings of its accounts that exist', () => {
    assert.equal(isBindingOf(binding('b', subject), relations), true);
    assert.equal(isBindingOf(binding('b', { ...subject, name: 'absent' }), relations), false);
    assert.equal(isBindingOf(binding('b', { ...subject, namespace: 'other' }), relations), false);
    assert.equal(isBindingOf(binding('b', { kind: 'Group', name: 'system:serviceaccounts:shop' }), relations), true);
    assert.equal(isBindingOf(binding('system:b', subject), relations), false);
  });
  it('the roles they refer to, but none that the cluster brings', () => {
    assert.equal(isRelated(anObject(rbac, 'ClusterRole', { name: 'reader' }), relations), true);
    assert.equal(isRelated(anObject(rbac, 'ClusterRole', { name: 'other' }), relations), false);
    const builtIn = { name: 'reader', labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } };
    assert.equal(isRelated(anObject(rbac, 'ClusterRole', builtIn), relations), false);
  });
  it('priority classes of its workloads, and webhooks that call into it', () => {
    assert.equal(isRelated(anObject('scheduling.k8s.io/v1', 'PriorityClass', { name: 'important' }), relations), true);
    assert.equal(isRelated(anObject('scheduling.k8s.io/v1', 'PriorityClass', { name: 'other' }), relations), false);
    const hook = (namespace: string) =>
      anObject(
        'admissionregistration.k8s.io/v1',
        'ValidatingWebhookConfiguration',
        {},
        {
          webhooks: [{ clientConfig: { service: { namespace, name: 's' } } }],
        },
      );
    assert.equal(isRelated(hook('shop'), relations), true);
    assert.equal(isRelated(hook('other'), relations), false);
  });
});
