import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../kube/client/core.ts';
import type { FakeApiServerOptions } from '../kube/fake/fake-api-server.ts';
import { planKindRoles } from './install/kind-rights.ts';
import { assertGolden, type TerminalWorld, terminalWorld } from './terminal-world.ts';

type Access = Parameters<NonNullable<FakeApiServerOptions['authorize']>>[0];

/** Our accounts may do with custom kinds what the two roles say; everybody else may do everything. */
function guarded(): TerminalWorld {
  const world = terminalWorld({
    authorize: ({ identity, verb, group, resource }: Access) => {
      const account = /^system:serviceaccount:stork-system:(stork-\w+)$/.exec(identity.user)?.[1];
      if (account === undefined || !(group.includes('.') || group === '*')) return 'Allow';
      const role = world.servers.east.objects().find(({ metadata }) => metadata.name === `${account}-kinds`);
      const rules: readonly { apiGroups: string[]; resources: string[]; verbs: string[] }[] = Object(role).rules ?? [];
      const allows = rules.some(
        (rule) => rule.apiGroups.includes(group) && rule.resources.includes(resource) && rule.verbs.includes(verb),
      );
      return allows ? 'Allow' : 'Deny';
    },
  });
  for (const [plural, group, scope] of [
    ['queues', 'example.com', 'Namespaced'],
    ['topics', 'example.com', 'Namespaced'],
    ['certificates', 'tls.example.org', 'Namespaced'],
    ['regions', 'example.com', 'Cluster'],
    ['volumesnapshots', 'snapshot.storage.k8s.io', 'Namespaced'],
  ] as const)
    world.servers.east.seed(core.customResourceDefinitions, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        ...{ group, scope, names: { plural, kind: `${plural[0]?.toUpperCase()}${plural.slice(1, -1)}` } },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    });
  return world;
}

describe('allow kinds', () => {
  it('shows what lacks rights, gives them by name or for all, and says the same in status', async () => {
    const world = guarded();
    world.servers.east.seed(core.deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'stork-agent', namespace: 'stork-system' },
      status: { readyReplicas: 1 },
    });
    await world.run('allow kinds');
    await world.run('allow kinds regions.example.com');
    await world.run('allow kinds queues.example.com --dry-run=client');
    await world.run('allow kinds queues.example.com');
    await world.run('allow kinds');
    await world.run('status');
    await world.run('allow kinds --all');
    await world.run('allow kinds --all');
    await world.run('status');
    await world.run('uninstall --keep-namespace');
    await assertGolden('allow-kinds.txt', world.transcript());
  });

  it('keeps what was given before, each kind by its name', () => {
    const [first = Object(undefined)] = planKindRoles([{ group: 'b.example', plural: 'bs' }]);
    const again = planKindRoles(
      [
        { group: 'a.example', plural: 'as' },
        { group: 'b.example', plural: 'as' },
      ],
      [Object(first)],
    );
    assert.deepEqual(
      again.map(({ metadata }) => metadata.name),
      ['stork-agent-kinds', 'stork-peer-kinds'],
    );
    assert.deepEqual(again[0]?.rules, [
      { apiGroups: ['a.example'], resources: ['as'], verbs: ['get', 'list', 'patch'] },
      { apiGroups: ['b.example'], resources: ['as', 'bs'], verbs: ['get', 'list', 'patch'] },
    ]);
  });

  it('refuses a role of that name that is not ours', async () => {
    const world = guarded();
    world.servers.east.seed(core.clusterRoles, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'stork-agent-kinds' },
    });
    assert.equal(await world.run('allow kinds --all'), 1);
    assert.match(
      world.transcript(),
      /there is a ClusterRole stork-agent-kinds already that kubectl stork did not make/,
    );
  });
});
