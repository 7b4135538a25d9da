import assert from 'node:assert/strict';
import { it } from 'node:test';
import { describeWebhooks } from './decide-webhooks.ts';

const incoming = [
  { group: 'apps', version: 'v1', plural: 'deployments', namespace: 'db', create: true, update: false },
  { group: '', version: 'v1', plural: 'namespaces', namespace: '', create: true, update: false },
];
const labels = new Map([['db', { team: 'a' }]]);
const rule = { operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] };
const configuration = (hook: object, kind = 'ValidatingWebhookConfiguration') => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  metadata: { name: 'policy' },
  webhooks: [{ name: 'check.policy', rules: [rule], failurePolicy: 'Fail', ...hook }],
});

for (const [what, hook, seen] of [
  ['its kind', {}, /^policy \(check\.policy\) may refuse deployments\.apps; needed/],
  [
    'everything',
    { rules: [{ ...rule, apiGroups: ['*'], resources: ['*/*'] }] },
    /refuse deployments\.apps, namespaces/,
  ],
  ['only updates', { rules: [{ ...rule, operations: ['UPDATE'] }] }, undefined],
  ['another kind', { rules: [{ ...rule, resources: ['pods'] }] }, undefined],
  ['another version, equivalent', { rules: [{ ...rule, apiVersions: ['v1beta1'] }] }, /deployments/],
  ['another version, exact', { matchPolicy: 'Exact', rules: [{ ...rule, apiVersions: ['v1beta1'] }] }, undefined],
  ['its namespaces', { namespaceSelector: { matchLabels: { team: 'a' } } }, /deployments/],
  ['other namespaces', { namespaceSelector: { matchLabels: { team: 'b' } } }, undefined],
  ['cluster-scoped kinds', { rules: [{ ...rule, scope: 'Cluster' }] }, undefined],
  ['selected objects', { objectSelector: { matchLabels: { x: 'y' } } }, /those it selects of deployments/],
  ['what it may ignore', { failurePolicy: 'Ignore' }, /ignored when it does not answer/],
] as const)
  it(`a webhook on ${what} ${seen === undefined ? 'sees nothing' : 'is told'}`, () => {
    const [sentence] = describeWebhooks([configuration(hook)], incoming, labels);
    if (seen === undefined) assert.equal(sentence, undefined);
    else assert.match(sentence ?? '', seen);
  });

it('says of a mutating one that it may change objects', () => {
  assert.match(
    describeWebhooks([configuration({}, 'MutatingWebhookConfiguration')], incoming, labels).join(),
    /may change/,
  );
});
