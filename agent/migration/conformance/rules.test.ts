import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { applyDefaults } from '../../../crds/schema/index.ts';
import { migrations, rules } from '../../../crds/v1alpha1/index.ts';
import type { ExecRequest } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { manualClock } from '../../../kube/clock.ts';
import { isInvalid } from '../../../kube/errors.ts';
import { fakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import { silentLog } from '../../../kube/log.ts';
import type { EventFacts } from '../../../kube/runtime/events.ts';
import { runMachine } from '../../../kube/runtime/run-machine.ts';
import { ruleLimits, waitCommandPlaceholder } from '../../rule/rule-run.ts';
import { endHeld } from '../../rule/testing/held-processes.ts';
import { runHere } from '../../rule/testing/run-here.ts';
import { migrationMachine } from '../source/migration-machine.ts';
import { anApplication, leftovers } from '../testing/an-application.ts';
import { restartAgent, type TwoClusters } from '../testing/two-clusters.ts';

const folder = mkdtempSync(join(tmpdir(), 'stork-rules-'));
after(() => {
  endHeld(`${folder}/`);
  rmSync(folder, { recursive: true });
});
let worlds = 0;

/** Pods whose /tmp is a folder of this world alone. */
async function aWorld() {
  worlds += 1;
  const root = join(folder, `${worlds}`);
  mkdirSync(root);
  const onExec = (request: ExecRequest) =>
    runHere({ ...request, command: request.command.map((word) => word.replaceAll('/tmp', root)) });
  const world = await anApplication({ onExec });
  /** What commands wrote to /tmp/trace. */
  const trace = () => {
    const path = join(root, 'trace');
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  };
  for (const name of ['db-0', 'db-1'])
    world.a.server.seed(core.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'db', uid: `uid-${name}`, labels: { app: 'db' } },
      spec: { containers: [{ name: 'db' }] },
      status: { phase: 'Running' },
    });
  return { ...world, trace };
}

async function aRule(world: TwoClusters, name: string, value: string) {
  const background = value.includes(waitCommandPlaceholder);
  const actions = [{ type: 'command', value, background, runInSinglePod: true } as const];
  const metadata = { name, namespace: 'db' };
  const object = {
    apiVersion: rules.apiVersion,
    kind: rules.kind,
    metadata,
    rules: [{ podSelector: { app: 'db' }, actions }],
  };
  await world.a.client.create(rules, applyDefaults(rules.schema, object));
}

/** Turns until the pre rule holds the application. */
async function turnUntilHeld(world: TwoClusters): Promise<void> {
  for (let turns = 0; turns < 30; turns += 1) {
    await world.turn(world.a, 'm');
    const { status } = await world.a.client.get(migrations, { namespace: 'db', name: 'm' });
    if (status?.stage === 'Volumes') return;
  }
  throw new Error('the rule never held');
}

const isSnapshotted = (world: TwoClusters) => world.a.world.storage.snapshots.size > 0;

describe('rules of a migration', () => {
  for (const field of ['preExecRule', 'postExecRule'] as const)
    it(`R1: without the rule that ${field} names it does not start, and an event says so`, async () => {
      const world = await aWorld();
      await world.migrate(world.a, 'm', { [field]: 'nope' });
      const events: EventFacts[] = [];
      const environment = { client: world.a.client, clock: world.clock, log: silentLog() };
      const run = runMachine(migrationMachine(world.a.source), {
        ...environment,
        events: { record: (event) => void events.push(event) },
      });
      for (let turns = 0; turns < 4; turns += 1) await run('db/m', new AbortController().signal);
      const { status } = await world.a.client.get(migrations, { namespace: 'db', name: 'm' });
      assert.equal(status?.status, 'Failed');
      assert.ok(
        events.some(({ type, message }) => type === 'Warning' && /Rule nope \(spec\..*\) does not exist/.test(message)),
      );
      assert.equal(isSnapshotted(world), false);
      assert.equal(
        world.b.server.objects().some(({ kind }) => kind === 'PersistentVolumeClaim'),
        false,
      );
    });

  it('R2: a failing pre rule is tried again, and the migration goes on when it succeeds', async () => {
    const world = await aWorld();
    await aRule(world, 'third-time', `echo try >> /tmp/trace; test $(wc -l < /tmp/trace) -ge 3`);
    await world.migrate(world.a, 'm', { preExecRule: 'third-time' });
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.equal(world.trace().length, 3);
  });

  it('R2: a pre rule that never succeeds fails the migration after a named number of tries, nothing cut', async () => {
    const world = await aWorld();
    await aRule(world, 'never', `echo try >> /tmp/trace; echo no such table >&2; exit 4`);
    await world.migrate(world.a, 'm', { preExecRule: 'never' });
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Failed');
    assert.equal(world.trace().length, ruleLimits.maxAttempts);
    assert.match(status.reason ?? '', new RegExp(`no such table.*tried ${ruleLimits.maxAttempts} times`));
    assert.equal(isSnapshotted(world), false);
    assert.deepEqual(leftovers(world), []);
  });

  it('R3: a failing post rule fails the migration, and nothing temporary is left', async () => {
    const world = await aWorld();
    await aRule(world, 'broken', 'echo can not thaw >&2; exit 3');
    await world.migrate(world.a, 'm', { postExecRule: 'broken' });
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /exit code 3 .*can not thaw/);
    assert.equal(world.b.world.contentOf('db', 'data'), undefined);
    assert.deepEqual(leftovers(world), []);
  });

  it(`R4: a background command without ${waitCommandPlaceholder} is not accepted`, async () => {
    const server = fakeApiServer({ clock: manualClock() });
    server.serve(rules);
    const actions = [
      { type: 'command', value: 'sleep 1', background: true, runInSinglePod: false, onError: 'Fail' } as const,
    ];
    const metadata = { name: 'blind', namespace: 'default' };
    const object = { apiVersion: rules.apiVersion, kind: rules.kind, metadata, rules: [{ actions }] };
    await assert.rejects(
      server.client().create(rules, object),
      (error) => isInvalid(error) && /WAIT_CMD/.test(String(error)),
    );
  });

  it('R4: a background command in the post rule is rejected, before any command runs in a pod', async () => {
    const world = await aWorld();
    await aRule(world, 'hold', `echo held >> /tmp/trace; ${waitCommandPlaceholder}`);
    await world.migrate(world.a, 'm', { postExecRule: 'hold' });
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /background command, and the rule is a post rule/);
    assert.deepEqual(world.trace(), []);
    assert.deepEqual(leftovers(world), []);
  });

  it('R5: a background command holds until every volume is cut, then it is let go', async () => {
    const world = await aWorld();
    await aRule(world, 'hold', `echo held >> /tmp/trace; ${waitCommandPlaceholder}; echo released >> /tmp/trace`);
    await world.migrate(world.a, 'm', { preExecRule: 'hold' });
    await turnUntilHeld(world);
    assert.deepEqual(world.trace(), ['held']);
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.deepEqual(world.trace(), ['held', 'released']);
    assert.notEqual(status.rule?.releasedTimestamp, undefined);
    assert.notEqual(status.rule?.blockedMilliseconds, undefined);
  });

  it('R5: the status of a background command that fails is captured', async () => {
    const world = await aWorld();
    await aRule(world, 'broken', `echo lock wait timeout >&2; exit 7; ${waitCommandPlaceholder}`);
    await world.migrate(world.a, 'm', { preExecRule: 'broken' });
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Failed');
    const target = status.rule?.pre?.steps[0]?.targets[0];
    assert.equal(target?.exitCode, 7);
    assert.match(target?.output ?? '', /lock wait timeout/);
    assert.equal(isSnapshotted(world), false);
  });

  it('R6: an agent that is restarted while a background command holds ends it from status', async () => {
    const world = await aWorld();
    await aRule(world, 'hold', `echo held >> /tmp/trace; ${waitCommandPlaceholder}; echo released >> /tmp/trace`);
    await world.migrate(world.a, 'm', { preExecRule: 'hold' });
    await turnUntilHeld(world);
    restartAgent(world.a);
    // The successor finds that the migration is to be deleted: the application is let go first.
    await world.a.client.delete(migrations, { namespace: 'db', name: 'm' });
    for (let turns = 0; turns < 30 && world.trace().length < 2; turns += 1) await world.turn(world.a, 'm');
    assert.deepEqual(world.trace(), ['held', 'released']);
  });
});
