/**
 * A team that may edit one namespace, and was lent a pair, migrates that namespace by itself; nothing else of either
 * cluster is in its reach by any field. The team is a ServiceAccount with a token of its own: what it may do, RBAC says.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Cluster, cluster } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { agentNamespace, type Bed, bed, eventually, type MigrationView, removeNamespaces } from './bed.ts';
import { deployFiller, fillerDigest, leftoversOf } from './filler.ts';

const own = 'tenant';
const others = 'tenant-neighbour';
const team = `system:serviceaccount:${others}:team`;
const requester = 'stork.libopenstorage.org/requester';

describe('a team with edit in one namespace', () => {
  let clusters: Bed;
  let user: Cluster;
  let folder = '';
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeAll();
    await deployFiller(clusters.a, own, { megabytes: 20 });
    await deployFiller(clusters.a, others, { megabytes: 20 });
    await clusters.a.apply(rights);
    folder = await mkdtemp(join(tmpdir(), 'stork-tenancy-'));
    user = await actingAsTeam(clusters.a, folder);
    await eventually('view, edit and admin took our roles up', async () => {
      const edit = await clusters.a.get<{ rules: readonly { apiGroups?: readonly string[] }[] }>([
        'clusterrole',
        'edit',
      ]);
      return edit.rules.some(({ apiGroups }) => apiGroups?.includes('stork.libopenstorage.org')) ? true : undefined;
    });
  });
  after(async () => {
    await removeAll();
    await rm(folder, { recursive: true, force: true });
  });

  async function removeAll(): Promise<void> {
    const remove = [
      '-n',
      agentNamespace,
      'delete',
      'rolebinding',
      'tenant-uses-pairs',
      'tenant-operates',
      '--ignore-not-found',
    ];
    await clusters.a.kubectl(remove);
    await clusters.a.kubectl([
      '-n',
      agentNamespace,
      'delete',
      'migrations.stork.libopenstorage.org',
      'by-team',
      '--ignore-not-found',
    ]);
    await removeNamespaces(clusters, own, others);
  }

  /** Created by the team; the status that it ended with. */
  async function outcomeOf(
    name: string,
    spec: object,
    changes: { readonly namespace?: string; readonly annotations?: object } = {},
  ) {
    const { namespace = own, annotations = {} } = changes;
    const metadata = { name, namespace, annotations };
    await user.apply(JSON.stringify({ ...migrationHead, metadata, spec: { clusterPair: 'b', ...spec } }));
    return await eventually(`migration ${name} ends`, async () => {
      const view = await clusters.a.get<MigrationView>(['migrations.stork.libopenstorage.org', name, '-n', namespace]);
      return ['Failed', 'Successful', 'PartialSuccess'].includes(view.status?.status) ? view : undefined;
    });
  }

  /** Failed with that reason, an event that says it, and nothing of the neighbour's on the other side. */
  async function assertRefused(name: string, spec: object, message: RegExp, namespace = own): Promise<void> {
    const view = await outcomeOf(name, spec, { namespace });
    console.log(`${name}: ${view.status.reason}`);
    assert.equal(view.status.status, 'Failed');
    assert.match(view.status.reason ?? '', message);
    const there = await clusters.b.kubectl(['get', 'namespace', others, '--ignore-not-found', '-o', 'name']);
    assert.equal(there, '');
    const events = await clusters.a.kubectl(['-n', namespace, 'get', 'events', '-o', 'jsonpath={.items[*].reason}']);
    assert.match(events, /RequesterMayNot|NamespaceNotAllowed|GrantRefused/);
    assert.deepEqual(await leftoversOf(clusters, view.metadata.uid), []);
  }

  const refusedByServer = (args: readonly string[], message: RegExp, stdin?: string) =>
    assert.rejects(user.kubectl(args, stdin === undefined ? {} : { stdin }), (error: Error) => {
      assert.match(error.message, message);
      return true;
    });

  it('can’t use a pair that nobody lent it', async () => {
    await clusters.a.kubectl(['-n', agentNamespace, 'delete', 'rolebinding', 'tenant-uses-pairs']);
    await assertRefused(
      'no-pair',
      { namespaces: [own] },
      /User system:serviceaccount:tenant-neighbour:team.*may not use clusterpairs.* b in namespace stork-system/,
    );
    await clusters.a.apply(rights);
  });

  it('migrates its namespace, volumes and all, through the pair that was lent', async () => {
    expectSuccess(await user.stork(['migrate', own, '--to', 'b', '-n', own, '--name', 'mine'], { timeoutMs: 180_000 }));
    assert.equal(await fillerDigest(clusters.b, own), await fillerDigest(clusters.a, own));
    const there = await clusters.b.get<{ metadata: { annotations: Record<string, string> } }>([
      'configmap',
      'filler',
      '-n',
      own,
    ]);
    assert.equal(there.metadata.annotations['stork.libopenstorage.org/migration-requester'], team);
    const mine = await clusters.a.get<{ metadata: { annotations: Record<string, string> } }>([
      'migrations.stork.libopenstorage.org',
      'mine',
      '-n',
      own,
    ]);
    assert.equal(JSON.parse(mine.metadata.annotations[requester] ?? '{}').username, team);
  });

  const foreign = /A Migration in namespace tenant can only migrate that namespace/;
  it('can’t name another namespace', () => assertRefused('other', { namespaces: [others] }, foreign));
  it('can’t name it beside its own', () => assertRefused('beside', { namespaces: [own, others] }, foreign));
  it('can’t overwrite it there', () =>
    assertRefused('overwrite', { namespaces: [others], overwriteDestination: true }, foreign));
  it('can’t take the system along', () => assertRefused('system', { namespaces: [own, 'kube-system'] }, foreign));
  it('can’t take the agent’s keys along', () => assertRefused('keys', { namespaces: [agentNamespace] }, foreign));
  it('can’t select another namespace by a label it has', () =>
    assertRefused('by-label', { namespaceSelectors: { 'kubernetes.io/metadata.name': others } }, foreign));

  it('can’t use an admin’s pair for what is cluster-scoped, when it was not lent', async () => {
    await clusters.a.kubectl(['-n', agentNamespace, 'delete', 'rolebinding', 'tenant-uses-pairs']);
    await assertRefused('admin-pair', { namespaces: [own], adminClusterPair: 'b' }, /may not use clusterpairs/);
    await clusters.a.apply(rights);
  });

  it('can’t reach farther from the agent’s namespace, where it may make Migrations', async () => {
    await clusters.a.apply(operatesInAgentNamespace);
    await assertRefused(
      'by-team',
      { namespaces: [others] },
      /may not create pods in namespace tenant-neighbour/,
      agentNamespace,
    );
  });

  it('can’t move Secrets, nor run rules, that its own rights don’t cover', async () => {
    await clusters.a.kubectl(['-n', own, 'delete', 'rolebinding', 'team-edits']);
    await clusters.a.apply(withoutSecretsAndExec);
    await clusters.a.apply(secretAndRule);
    await assertRefused('secrets', { namespaces: [own] }, /may not get secrets in namespace tenant/);
    await assertRefused(
      'rule',
      { namespaces: [own], preExecRule: 'noop' },
      /may not create pods\/exec in namespace tenant/,
    );
    await assertRefused(
      'post-rule',
      { namespaces: [own], postExecRule: 'noop' },
      /may not create pods\/exec in namespace tenant/,
    );
    const left = await outcomeOf('left-out', {
      namespaces: [own],
      // The Role of this test is one more thing it may not read.
      excludeResourceTypes: ['Secret', 'Role'],
      includeVolumes: false,
    });
    assert.equal(left.status.status, 'Successful');
    await clusters.a.apply(rights);
  });

  it('can’t take privileged pods along that Pod Security keeps out of its namespace', async () => {
    const label = (value: string) =>
      clusters.a.kubectl(['label', 'namespace', own, `pod-security.kubernetes.io/enforce${value}`, '--overwrite']);
    await label('=baseline');
    try {
      await user.apply(JSON.stringify(privilegedWorkload));
      const { status } = await outcomeOf('privileged', { namespaces: [own], includeVolumes: false });
      assert.equal(status.status, 'PartialSuccess');
      assert.match(
        status.reason ?? '',
        /rooted: left out: of its pods container web is privileged; Pod Security keeps/,
      );
      const there = await clusters.b.kubectl(['-n', own, 'get', 'deployment', 'rooted', '--ignore-not-found']);
      assert.equal(there, '');
    } finally {
      await label('-');
      await user.kubectl(['-n', own, 'delete', 'deployment', 'rooted']);
    }
  });

  it('can’t forge who it is, when it creates', async () => {
    const annotations = { [requester]: JSON.stringify({ username: 'admin', groups: ['system:masters'] }) };
    const view = await outcomeOf('forged', { namespaces: [own, others] }, { annotations });
    assert.equal(view.status.status, 'Failed');
    const stored = await clusters.a.get<{ metadata: { annotations: Record<string, string> } }>([
      'migrations.stork.libopenstorage.org',
      'forged',
      '-n',
      own,
    ]);
    assert.equal(JSON.parse(stored.metadata.annotations[requester] ?? '{}').username, team);
  });

  it('can’t forge who it is, when it edits', async () => {
    const forged = `${requester}={"username":"admin","groups":["system:masters"]}`;
    const args = ['-n', own, 'annotate', '--overwrite', 'migrations.stork.libopenstorage.org', 'mine', forged];
    await refusedByServer(args, /says who asked for the operation and can't be changed/);
  });

  it('can’t write status, make pairs, see those of others, or impersonate', async () => {
    const status = [
      '-n',
      own,
      'patch',
      'migrations.stork.libopenstorage.org',
      'mine',
      '--subresource=status',
      '--type=merge',
      '-p',
      '{"status":{"stage":"Volumes"}}',
    ];
    await refusedByServer(status, /forbidden/);
    const pair = { ...migrationHead, kind: 'ClusterPair', metadata: { name: 'own', namespace: own }, spec: {} };
    await refusedByServer(['create', '-f', '-'], /forbidden/, JSON.stringify(pair));
    await refusedByServer(['get', 'clusterpairs.stork.libopenstorage.org', '-n', others], /forbidden/);
    await refusedByServer(['get', 'migrations.stork.libopenstorage.org', '-A', '--as=admin'], /[Ff]orbidden/);
  });

  it('can’t activate what it may not patch', async () => {
    const action = (name: string, namespaces: readonly string[]) => ({
      ...migrationHead,
      kind: 'Action',
      metadata: { name, namespace: own },
      spec: { actionType: 'deactivate', actionParameter: { deactivateParameter: { namespaces } } },
    });
    await user.apply(JSON.stringify(action('down', [others])));
    await eventually('the Action ends', async () => {
      const { status } = await clusters.a.get<{ status?: { status?: string } }>([
        'actions.stork.libopenstorage.org',
        'down',
        '-n',
        own,
      ]);
      return status?.status === 'Failed' ? true : undefined;
    });
    const neighbour = await clusters.a.get<{ spec: { replicas: number } }>(['deployment', 'filler', '-n', others]);
    assert.equal(neighbour.spec.replicas, 1);
  });
});

const migrationHead = { apiVersion: 'stork.libopenstorage.org/v1alpha1', kind: 'Migration' };

/** A kubeconfig with nothing but the ServiceAccount's token: kubectl would prefer an admin's certificate. */
async function actingAsTeam(admin: Cluster, folder: string): Promise<Cluster> {
  const token = (await admin.kubectl(['-n', others, 'create', 'token', 'team', '--duration=1h'])).trim();
  const config = JSON.parse(await admin.kubectl(['config', 'view', '--raw', '--minify', '-o', 'json']));
  const context = { name: 'team', context: { cluster: config.clusters[0].name, user: 'team', namespace: own } };
  const changed = {
    ...config,
    contexts: [context],
    'current-context': 'team',
    users: [{ name: 'team', user: { token } }],
  };
  const path = join(folder, 'kubeconfig');
  await writeFile(path, JSON.stringify(changed), { mode: 0o600 });
  return cluster(path, 'team');
}

const subject = `{ kind: ServiceAccount, name: team, namespace: ${others} }`;
const binding = (name: string, namespace: string, role: string): string => `---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: ${name}, namespace: ${namespace} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${role} }
subjects: [${subject}]
`;

const rights = `apiVersion: v1
kind: ServiceAccount
metadata: { name: team, namespace: ${others} }
${binding('team-edits', own, 'edit')}${binding('tenant-uses-pairs', agentNamespace, 'stork-use-pairs')}`;

const operatesInAgentNamespace = binding('tenant-operates', agentNamespace, 'stork-migrate');

/** Everything of the application may be read, and pods made: but for Secrets and exec. */
const withoutSecretsAndExec = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: team-limited, namespace: ${own} }
rules:
  - { apiGroups: [''], resources: [pods], verbs: [create, get, list] }
${binding('team-limited', own, 'view')}${binding('team-migrates', own, 'stork-migrate')}---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: team-pods, namespace: ${own} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: team-limited }
subjects: [${subject}]
`;

const secretAndRule = `apiVersion: v1
kind: Secret
metadata: { name: key, namespace: ${own} }
stringData: { key: of-the-team }
---
apiVersion: stork.libopenstorage.org/v1alpha1
kind: Rule
metadata: { name: noop, namespace: ${own} }
rules:
  - podSelector: { app: filler }
    actions: [{ type: command, value: 'true' }]
`;

/** Nothing runs of it: the API server takes it from whoever may create Deployments. */
const privilegedWorkload = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'rooted', namespace: own },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: 'rooted' } },
    template: {
      metadata: { labels: { app: 'rooted' } },
      spec: {
        containers: [{ name: 'web', image: 'stork.test/toolbox:1', securityContext: { privileged: true } }],
      },
    },
  },
};
