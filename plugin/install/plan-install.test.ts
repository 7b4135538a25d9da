import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isManagedByAgent } from '../../crds/agent-names.ts';
import { isRecord } from '../../crds/schema/apply-defaults.ts';
import { defaultInstallChoices } from './install-choices.ts';
import { planInstall } from './plan-install.ts';
import { agentRoles, type PolicyRule, peerRules } from './policy-rules.ts';
import { userRoles } from './user-roles.ts';

const rules: readonly PolicyRule[] = [
  ...agentRoles.flatMap((role) => role.rules),
  ...userRoles.flatMap((role) => role.rules),
  ...peerRules,
];

describe('an installation', () => {
  const objects = planInstall({ ...defaultInstallChoices, peerClusterRoles: ['admin'] });

  it('marks everything as ours', () => {
    for (const object of objects)
      assert.ok(isManagedByAgent(object.metadata), `${object.kind} ${object.metadata.name}`);
  });

  it('names no object twice', () => {
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it('has no wildcard in any role', () => {
    for (const rule of rules) {
      for (const word of [...rule.apiGroups, ...rule.resources, ...rule.verbs]) assert.ok(!word.includes('*'), word);
    }
  });

  it('can neither escalate, bind, nor watch or write Secrets outside its namespace', () => {
    const cluster = agentRoles.filter((role) => role.scope === 'Cluster').flatMap((role) => role.rules);
    for (const { verbs, resources } of cluster) {
      for (const verb of ['escalate', 'bind', 'impersonate', 'deletecollection'])
        assert.ok(!verbs.includes(verb), verb);
      if (resources.includes('secrets')) assert.deepEqual(verbs, ['get', 'list']);
    }
  });

  it('impersonates the account of peers and no other', () => {
    const role = objects.find(({ metadata }) => metadata.name === 'stork-agent-impersonate');
    assert.ok(role !== undefined && Array.isArray(role.rules));
    const [rule] = role.rules;
    assert.ok(isRecord(rule));
    assert.deepEqual(rule.resourceNames, ['stork-peer']);
    assert.equal(role.kind, 'Role');
  });

  it('P19: lets viewers see migrations and no pairs, editors migrate, and only who is bound make pairs', () => {
    const canDo = (verb: string, resource: string) =>
      userRoles
        .filter(({ rules: own }) => own.some((one) => one.verbs.includes(verb) && one.resources.includes(resource)))
        .map(({ name, aggregatesTo }) => `${name} ${aggregatesTo ?? 'by binding'}`);
    assert.deepEqual(canDo('get', 'migrations'), ['stork-view view', 'stork-migrate edit']);
    assert.deepEqual(canDo('create', 'migrations'), ['stork-migrate edit']);
    assert.deepEqual(canDo('create', 'clusterpairs'), ['stork-pair-admin by binding']);
    assert.deepEqual(
      canDo('get', 'clusterpairs').filter((role) => role.endsWith('view')),
      [],
    );
  });

  it('lets whoever reads of a kept snapshot do what is said there, and no more', () => {
    const verbsOf = (name: string) =>
      userRoles
        .find((role) => role.name === name)
        ?.rules.find(({ resources }) => resources.includes('volumesnapshots'))
        ?.verbs.toSorted();
    assert.deepEqual(verbsOf('stork-view'), ['get', 'list', 'watch']);
    assert.deepEqual(verbsOf('stork-migrate'), ['delete', 'get', 'list', 'patch', 'watch']);
  });

  it('lets no person write what only the agent says: status, finalizers', () => {
    for (const { resources } of userRoles.flatMap((role) => role.rules))
      for (const resource of resources) assert.ok(!resource.includes('/'), resource);
  });

  it('says why for each feature', () => {
    for (const { feature, why } of agentRoles) assert.match(why, /\.$/, feature);
  });

  it('has an agent that answers admission while another restarts, is updated or loses its node', () => {
    const byKind = (kind: string) => objects.find((object) => object.kind === kind)?.spec;
    const deployment = Object(byKind('Deployment'));
    assert.equal(deployment.replicas, 2);
    assert.deepEqual(deployment.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
    assert.equal(deployment.template.spec.terminationGracePeriodSeconds, 30);
    const budget = Object(byKind('PodDisruptionBudget'));
    assert.equal(budget.maxUnavailable, 1);
    assert.deepEqual(budget.selector, deployment.selector);
    const webhook = objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === 'stork-webhook');
    assert.deepEqual(Object(webhook?.spec).selector, deployment.selector.matchLabels);
  });
});
