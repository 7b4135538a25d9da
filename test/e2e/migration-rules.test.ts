/**
 * Rules of a Migration on real clusters (R1–R6): carried out by the built agents, in pods of an application without volumes,
 * so that nothing but the rules takes time. What rules do to a database: rules.test.ts.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { agentNamespace, type Bed, bed, eventually, type MigrationView, removeNamespaces } from './bed.ts';
import { leftoversOf } from './filler.ts';
import { endOf, fieldOf, runMigration, startMigration, storkVersion } from './run-migration.ts';

const namespace = 'rule-fields';
/** Its rule never succeeds, which takes the agent five tries and 75 s: meanwhile the other tests run. */
const stubborn = 'rule-never';
const waits = '$'.concat('{WAIT_CMD}');

interface RuleView {
  /** Absent until an agent has seen it. */
  readonly status?: {
    readonly rule?: {
      readonly blockedMilliseconds?: number;
      readonly pre?: {
        readonly attempt: number;
        readonly steps: readonly {
          readonly targets: readonly { readonly exitCode?: number; readonly output?: string }[];
        }[];
      };
    };
  };
}

describe('rules of a Migration on real clusters', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeNamespaces(clusters, namespace, stubborn);
    for (const name of [stubborn, namespace]) {
      await clusters.a.apply(application(name));
      await clusters.a.kubectl(['-n', name, 'rollout', 'status', 'deployment/app', '--timeout=180s']);
    }
    await aRule(
      'never',
      [background(`echo try >> /tmp/trace; echo lock wait timeout >&2; exit 7; ${waits}`)],
      stubborn,
    );
    await startMigration(clusters.a, 'never', { namespaces: [stubborn], preExecRule: 'never' }, stubborn);
  });
  after(() => removeNamespaces(clusters, namespace, stubborn));

  const aRule = (name: string, actions: readonly object[], where = namespace) =>
    clusters.a.apply(
      JSON.stringify({ ...head, metadata: { name, namespace: where }, rules: [{ podSelector, actions }] }),
    );
  const migrate = (name: string, spec: object) =>
    runMigration(clusters.a, name, { namespaces: [namespace], ...spec }, { namespace });
  const ruleOf = async (name: string, where = namespace) =>
    (await clusters.a.get<RuleView>(['migrations.stork.libopenstorage.org', name, '-n', where])).status?.rule;
  const shell = (script: string, where = namespace) => clusters.a.exec(where, 'deployment/app', ['sh', '-c', script]);
  /** What the rules wrote since the last time. */
  const trace = async () => (await shell('cat /tmp/trace 2>/dev/null; rm -f /tmp/trace')).split('\n').filter(Boolean);
  /** Failed for that reason; nothing of it is anywhere, but what another migration brought. */
  async function assertFailed(done: MigrationView, reason: RegExp): Promise<void> {
    assert.equal(done.status.status, 'Failed');
    assert.match(done.status.reason ?? '', reason);
    assert.deepEqual(await leftoversOf(clusters, done.metadata.uid), []);
    const there = await clusters.b.kubectl(['get', 'namespace', namespace, '--ignore-not-found', '-o', 'name']);
    assert.equal(there, '');
  }

  for (const field of ['preExecRule', 'postExecRule'] as const)
    it(`R1: without the rule that ${field} names it does not start, and an event says so`, async () => {
      const name = `r1-${field.toLowerCase()}`;
      await assertFailed(
        await migrate(name, { [field]: 'nope' }),
        new RegExp(`Rule nope \\(spec.${field}\\) does not exist`),
      );
      await eventually('an event', async () => {
        const selector = `involvedObject.name=${name},type=Warning`;
        const args = [
          '-n',
          namespace,
          'get',
          'events',
          '--field-selector',
          selector,
          '-o',
          'jsonpath={.items[*].message}',
        ];
        return (await clusters.a.kubectl(args)).includes('Rule nope') ? 'told' : undefined;
      });
    });

  it('R3: a failing post rule fails the migration, and nothing is left', async () => {
    await aRule('broken', [{ type: 'command', value: 'echo can not thaw >&2; exit 3' }]);
    await assertFailed(await migrate('r3', { postExecRule: 'broken' }), /exit code 3 .*can not thaw/);
  });

  it('R4: a background command without its place to wait is refused by the API server', () =>
    assert.rejects(aRule('blind', [background('sleep 1')]), /must contain \$\{WAIT_CMD\}/));

  it('R4: a background command in the post rule is refused before any command runs', async () => {
    await aRule('hold', [background(`echo held >> /tmp/trace; ${waits}; echo released >> /tmp/trace`)]);
    const reason = /background command, and the rule is a post rule/;
    await assertFailed(await migrate('r4', { postExecRule: 'hold' }), reason);
    assert.deepEqual(await trace(), []);
  });

  it('R5: a background command holds, and is let go by the cut', async () => {
    const beganMs = Date.now();
    const done = await migrate('r5', { preExecRule: 'hold' });
    const tookMs = Date.now() - beganMs;
    assert.equal(done.status.status, 'Successful', done.status.reason ?? '');
    assert.deepEqual(await trace(), ['held', 'released']);
    const { blockedMilliseconds = Number.NaN } = (await ruleOf('r5')) ?? {};
    console.log(`the application was held for ${blockedMilliseconds} ms`);
    assert.ok(blockedMilliseconds < tookMs);
    assert.equal(await shell('ls -a /tmp | grep stork-rule || true'), '');
  });

  it('R2: a failing pre rule is tried again, and the migration goes on when it succeeds', async () => {
    await aRule('later', [{ type: 'command', value: 'echo try >> /tmp/trace; test -e /tmp/ready' }]);
    await startMigration(clusters.a, 'r2', { namespaces: [namespace], preExecRule: 'later' }, namespace);
    await eventually('a second try', async () =>
      ((await ruleOf('r2'))?.pre?.attempt ?? 0) >= 2 ? 'planned' : undefined,
    );
    await shell('touch /tmp/ready');
    const done = await endOf(clusters.a, 'r2', { namespace });
    assert.equal(done.status.status, 'Successful', done.status.reason ?? '');
    assert.ok((await trace()).length >= 2);
  });

  it('R6: when the agent dies while a background command holds, the next one ends it', async () => {
    await aRule('long', [
      background(`echo held >> /tmp/trace; ${waits}; echo released >> /tmp/trace`),
      { type: 'command', value: 'echo began >> /tmp/trace; sleep 5' },
    ]);
    await startMigration(clusters.a, 'r6', { namespaces: [namespace], preExecRule: 'long' }, namespace);
    await eventually('it holds', async () =>
      (await shell('cat /tmp/trace || true')).includes('began') ? 'held' : undefined,
    );
    const pods = ['-n', agentNamespace, 'delete', 'pods', '-l', 'app.kubernetes.io/name=stork-agent'];
    await clusters.a.kubectl([...pods, '--grace-period=0', '--force']);
    const done = await endOf(clusters.a, 'r6', { namespace, timeoutMs: 240_000 });
    console.log(`${done.status.status} ${done.status.reason ?? ''}`);
    const words = await trace();
    const count = (word: string) => words.filter((one) => one === word).length;
    assert.equal(words.at(-1), 'released', words.join());
    assert.equal(count('released'), count('held'), words.join());
    assert.equal(done.status.status, 'Successful', done.status.reason ?? '');
    assert.equal(await fieldOf(clusters.b, namespace, 'configmap/settings', '.data.of'), namespace);
  });

  it('R2, R5: one that never succeeds fails it after five tries; how the command ended is captured', async () => {
    const done = await endOf(clusters.a, 'never', { namespace: stubborn, timeoutMs: 150_000 });
    assert.equal(done.status.status, 'Failed');
    assert.match(done.status.reason ?? '', /lock wait timeout.*tried 5 times/);
    const target = (await ruleOf('never', stubborn))?.pre?.steps[0]?.targets[0];
    assert.equal(target?.exitCode, 7);
    assert.match(target?.output ?? '', /lock wait timeout/);
    assert.equal((await shell('cat /tmp/trace', stubborn)).trim().split('\n').length, 5);
    assert.equal(await clusters.b.kubectl(['get', 'namespace', stubborn, '--ignore-not-found', '-o', 'name']), '');
  });
});

const head = { apiVersion: storkVersion, kind: 'Rule' };
const podSelector = { app: 'app' };
const background = (value: string) => ({ type: 'command', background: true, value });

const application = (name: string): string => `apiVersion: v1
kind: Namespace
metadata: { name: ${name} }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: ${name} }
data: { of: ${name} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: app, namespace: ${name} }
spec:
  selector: { matchLabels: { app: app } }
  template:
    metadata: { labels: { app: app } }
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{ name: a, image: "stork.test/toolbox:1", imagePullPolicy: IfNotPresent, command: [sleep, "100000"] }]
`;
