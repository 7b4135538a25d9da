/**
 * Rules on the test bed, against a real MariaDB with a writer that never stops: the lock is held and released, the agent
 * vanishes and the dead-man timer lets go, the database loses the session, the root file system is read-only.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { decideConsistency, decideRule, mayHold, summarizeHold } from '../../agent/rule/decide-rule.ts';
import { type RuleRun, type RuleSource, ruleLimits } from '../../agent/rule/rule-run.ts';
import { createRuleRunner } from '../../agent/rule/rule-runner.ts';
import type { ExecResult, KubeClient } from '../../kube/client/client.ts';
import { core, type Pod } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { patience } from '../demo/commands.ts';
import { testbed } from './bed.ts';

const namespace = 'rules-e2e';
const clock = systemClock();
const readText = (path: string) => readFile(path, 'utf8');

let opened: KubeClient | undefined;
const client = () => {
  if (opened === undefined) throw new Error('the test bed is not connected');
  return opened;
};

before(async () => {
  await testbed('up');
  await testbed('load-image', 'mariadb', 'postgresql', 'redis', 'toolbox');
  const path = (await testbed('kubeconfig')).trim();
  const config = await loadKubeconfig({ env: {}, homeDirectory: '/', readText, path, context: 'a' });
  opened = createKubeClient({ config, env: {}, clock, random: Math.random, readText, terminal: 'Absent' });
  await client().create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await client().create(core.pods, databasePod);
  await client().create(core.pods, readOnlyPod);
  await client().create(core.pods, simplePod('postgresql-0', 'postgresql'));
  await client().create(core.pods, simplePod('redis-0', 'redis'));
  await until(
    'the pods run',
    async () => (await phaseOf('mysql-0')) === 'Running' && (await phaseOf('read-only')) === 'Running',
  );
  await until('the database answers', async () => (await sql('SELECT 1')).exitCode === 0);
  await sql(
    'CREATE DATABASE shop; CREATE TABLE shop.orders (id BIGINT PRIMARY KEY AUTO_INCREMENT, t INT) ENGINE=InnoDB;',
  );
  const writer = 'while :; do echo "INSERT INTO shop.orders (t) VALUES (1);"; sleep 0.01; done | mariadb';
  await shell('mysql-0', `(${writer}) >/dev/null 2>&1 </dev/null & echo started`);
  await until('the writer writes', async () => (await maxId()) > 10);
});
after(async () => {
  if (opened === undefined) return;
  await opened.delete(core.namespaces, { name: namespace });
  await until(
    'the namespace is gone',
    async () => (await client().find(core.namespaces, { name: namespace })) === undefined,
  );
  opened.close();
});

describe('a rule on a real MariaDB', () => {
  it('blocks writers only while it holds, and records MAX(id) under the lock', async () => {
    const rule = mariadbRule(60);
    const beganMs = Date.now();
    const held = await hold('lock', rule);
    const recorded = Number(/max_id=(\d+)/.exec(outputOf(held))?.[1]);
    await sleep(700);
    assert.equal(await maxId(), recorded, 'nothing was written under the lock');
    const proven = await runner().prove(held);
    const released = await runner().release(proven);
    const tookMs = Date.now() - beganMs;
    assert.deepEqual(decideConsistency(released), { consistent: 'Yes' });
    assert.equal(mayHold(released), false);
    await until('writers go on', async () => (await maxId()) > recorded);
    const { heldMs = 0, text = '' } = summarizeHold(released) ?? {};
    console.log(`      ${text}; max id under the lock ${recorded}`);
    assert.ok(heldMs >= 700 && heldMs <= tookMs, text);
    await runner().clear(released);
    assert.equal((await shell('mysql-0', 'ls -a /tmp | grep stork-rule')).stdout, '');
  });

  it('holds no longer than starting, proving and releasing take', async () => {
    const beganMs = Date.now();
    const held = await hold('short', mariadbRule(60));
    const released = await runner().release(await runner().prove(held));
    const tookMs = Date.now() - beganMs;
    const { heldMs = Number.NaN, text = '' } = summarizeHold(released) ?? {};
    console.log(`      ${text}`);
    assert.ok(heldMs <= tookMs, text);
    await runner().clear(released);
  });

  it('works with the text that Stork published', async () => {
    const source = readFileSync(new URL('../../examples/stork/rule.yaml', import.meta.url), 'utf8');
    const rule: RuleSource = parse(source.replaceAll('mysql --user', 'mariadb --user'));
    const held = await hold('stork', rule);
    const before = await maxId();
    await sleep(300);
    assert.equal(await maxId(), before);
    const released = await runner().release(await runner().prove(held));
    assert.deepEqual(decideConsistency(released), { consistent: 'Yes' });
    await until('writers go on', async () => (await maxId()) > before);
    await runner().clear(released);
  });

  it('lets go by itself when the agent has vanished, and the point is then not consistent', async () => {
    const held = await hold('vanish', mariadbRule(3));
    const locked = await maxId();
    // Nobody releases: the agent is dead.
    await until('the dead-man timer let go', async () => (await maxId()) > locked, 15_000);
    const consistency = decideConsistency(await runner().prove(held));
    assert.equal(consistency.consistent, 'No');
    const released = await runner().release(held);
    assert.equal(mayHold(released), false);
    const { heldMs = 0 } = summarizeHold(released) ?? {};
    console.log(`      the lock let go by itself after ${heldMs} ms of 3000`);
    assert.ok(heldMs >= 3000 && heldMs < 6000, String(heldMs));
    await runner().clear(released);
  });

  it('is found and released by another agent, from a record written before the start', async () => {
    const rule = mariadbRule(60);
    const planned = await plan('recover', rule);
    const cut = new AbortController();
    const starting = runner().advance(planned, rule, cut.signal);
    await until('the lock is held', async () => {
      const now = await maxId();
      await sleep(200);
      return (await maxId()) === now;
    });
    cut.abort(new Error('the agent was killed'));
    await starting.catch(() => {});
    const locked = await maxId();
    const released = await runner().release(planned);
    assert.equal(mayHold(released), false);
    await until('writers go on', async () => (await maxId()) > locked);
    await runner().clear(released);
  });

  it('is not consistent when the database ended the session that held the lock', async () => {
    const held = await hold('killed', mariadbRule(60));
    await sql(
      "SET @id = (SELECT id FROM information_schema.processlist WHERE command = 'Sleep' AND user = 'root' AND info IS NULL ORDER BY id DESC LIMIT 1); SELECT @id; KILL @id;",
    );
    const locked = await maxId();
    await until('writers go on', async () => (await maxId()) > locked);
    const released = await runner().release(await runner().prove(held));
    const consistency = decideConsistency(released);
    assert.equal(consistency.consistent, 'No', JSON.stringify(released));
    console.log(`      ${consistency.message}`);
    await runner().clear(released);
  });
});

describe('a rule in a container with a read-only root file system', () => {
  it('holds, proves and releases', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the rule's own placeholder
    const action = { type: 'command', background: true, value: 'echo locked; ${WAIT_CMD}; echo unlocked' };
    const rule: RuleSource = {
      metadata: { name: 'read-only', namespace },
      rules: [{ podSelector: { app: 'read-only' }, actions: [action] }],
    };
    const held = await hold('readonly', rule);
    const released = await runner().release(await runner().prove(held));
    assert.deepEqual(decideConsistency(released), { consistent: 'Yes' });
    assert.equal(outputOf(released), 'locked\nunlocked');
    console.log(`      ${summarizeHold(released)?.text}`);
    await runner().clear(released);
  });
});

describe('the other examples', () => {
  it('keeps PostgreSQL in backup mode until the cut', async () => {
    await until('the database answers', async () => (await psql('SELECT 1')).exitCode === 0);
    const held = await hold('postgresql', readRule('postgresql.yaml'));
    const released = await runner().release(await runner().prove(held));
    assert.deepEqual(decideConsistency(released), { consistent: 'Yes' });
    assert.match(outputOf(released), /^[0-9A-F]+\/[0-9A-F]+\n[0-9A-F]+\/[0-9A-F]+$/);
    console.log(`      held for ${summarizeHold(released)?.heldMs} ms`);
    await runner().clear(released);
  });

  it('has Redis save before the cut', async () => {
    await until(
      'the database answers',
      async () => (await shell('redis-0', 'redis-cli PING')).stdout.trim() === 'PONG',
    );
    const rule = readRule('redis.yaml');
    const done = await runner().advance(await plan('redis', rule), rule);
    assert.equal(decideRule(done).phase, 'Done');
    assert.equal(outputOf(done), 'OK');
  });
});

/** A new one for each call: nothing may be kept between calls but the record. */
const runner = () => createRuleRunner({ client: client(), clock, limits: ruleLimits });

async function plan(name: string, rule: RuleSource): Promise<RuleRun> {
  const operationUid = `e2e-${name}-${process.pid}`;
  const planned = await runner().plan({ operationUid, namespaces: [namespace], rule, position: 'Pre', attempt: 1 });
  assert.equal(planned.do, 'run', JSON.stringify(planned));
  return planned.run;
}

async function hold(name: string, rule: RuleSource): Promise<RuleRun> {
  let run = await plan(name, rule);
  for (let calls = 0; decideRule(run).phase === 'Run' && calls < 5; calls += 1) run = await runner().advance(run, rule);
  assert.equal(decideRule(run).phase, 'Holding', JSON.stringify(decideRule(run)));
  return run;
}

const readRule = (name: string): RuleSource =>
  parse(readFileSync(new URL(`../../examples/rules/${name}`, import.meta.url), 'utf8'));

/** examples/rules/mariadb.yaml, with another limit. */
function mariadbRule(timeoutSeconds: number): RuleSource {
  const rule = readRule('mariadb.yaml');
  const rules = rule.rules?.map((item) => ({
    ...item,
    actions: item.actions?.map((action) => ({ ...action, timeoutSeconds })),
  }));
  return { ...rule, rules };
}

const outputOf = (run: RuleRun): string =>
  run.steps.flatMap((step) => step.targets.flatMap((target) => target.output ?? [])).join('\n');

const shell = (pod: string, script: string): Promise<ExecResult> =>
  client().exec({ namespace, pod, command: ['sh', '-c', script], timeoutMs: 60_000 });

const sql = (statement: string): Promise<ExecResult> =>
  client().exec({
    namespace,
    pod: 'mysql-0',
    command: ['mariadb', '--batch', '--skip-column-names', '-e', statement],
    timeoutMs: 60_000,
  });

const psql = (statement: string): Promise<ExecResult> => shell('postgresql-0', `psql -U postgres -c '${statement}'`);

const maxId = async (): Promise<number> => Number((await sql('SELECT COALESCE(MAX(id), 0) FROM shop.orders')).stdout);

const phaseOf = async (name: string): Promise<string | undefined> =>
  (await client().get(core.pods, { namespace, name })).status?.phase;

async function until(what: string, holds: () => Promise<boolean>, limitMs = 120_000): Promise<void> {
  const end = clock.monotonicMs() + limitMs * patience;
  while (!(await holds().catch(() => false))) {
    if (clock.monotonicMs() > end) assert.fail(`waited ${limitMs * patience} ms in vain: ${what}`);
    await sleep(200);
  }
}

const databasePod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'mysql-0', namespace, labels: { app: 'mysql' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'mysql',
        image: 'stork.test/mariadb:1',
        imagePullPolicy: 'IfNotPresent',
        env: [{ name: 'MARIADB_ROOT_PASSWORD', value: 'not-a-real-secret' }],
      },
    ],
  },
};

const simplePod = (name: string, image: 'postgresql' | 'redis'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { app: image } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: image, image: `stork.test/${image}:1`, imagePullPolicy: 'IfNotPresent' }],
  },
});

const readOnlyPod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'read-only', namespace, labels: { app: 'read-only' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'box',
        image: 'stork.test/toolbox:1',
        imagePullPolicy: 'IfNotPresent',
        command: ['sleep', '3600'],
        securityContext: { readOnlyRootFilesystem: true, runAsUser: 1000 },
      },
    ],
  },
};
