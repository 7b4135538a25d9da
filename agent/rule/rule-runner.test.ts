import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { core, type Pod } from '../../kube/client/core.ts';
import { systemClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { decideConsistency, decideRule, mayHold, summarizeHold } from './decide-rule.ts';
import { type RuleRun, type RuleSource, ruleLimits, waitCommandPlaceholder } from './rule-run.ts';
import { createRuleRunner } from './rule-runner.ts';
import { endHeld } from './testing/held-processes.ts';
import { runHere } from './testing/run-here.ts';

// The pods are the fake's; what is run "in" them runs in this machine's shell, for real.
const operationUid = `test-runner-${process.pid}`;
after(() => {
  endHeld(`/.stork-rule-${operationUid}-`);
  for (const name of readdirSync('/tmp')) {
    if (name.startsWith(`.stork-rule-${operationUid}`)) rmSync(`/tmp/${name}`, { force: true });
  }
});

let operations = 0;

function aWorld(limits: Partial<typeof ruleLimits> = {}) {
  const clock = systemClock();
  let isDown = false;
  const server = fakeApiServer({
    clock,
    onExec: (request) => {
      if (isDown) throw new Error('no route to the kubelet');
      return runHere(request);
    },
  });
  const client = server.client();
  const pod = (name: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, labels: { app: 'db' } },
    spec: { containers: [{ name: 'db' }] },
    status: { phase: 'Running' },
  });
  server.seed(core.pods, pod('db-0'));
  operations += 1;
  const uid = `${operationUid}-${operations}`;
  const make = () =>
    createRuleRunner({
      client,
      clock,
      limits: { ...ruleLimits, longPollSeconds: 3, releaseGraceSeconds: 3, ...limits },
    });
  return {
    server,
    client,
    make,
    pod,
    setDown: (down: boolean) => {
      isDown = down;
    },
    async plan(rule: RuleSource, attempt = 1): Promise<RuleRun> {
      const request = { operationUid: uid, namespaces: ['shop'], rule, position: 'Pre', attempt } as const;
      const plan = await make().plan(request);
      assert.equal(plan.do, 'run');
      return plan.run;
    },
  };
}

const aRule = (...values: readonly string[]): RuleSource => ({
  metadata: { name: 'hold', namespace: 'shop' },
  rules: [
    {
      podSelector: { app: 'db' },
      actions: values.map((value) => ({
        type: 'command',
        value,
        background: value.includes(waitCommandPlaceholder),
      })),
    },
  ],
});

/** Every call by a runner made new, from the record as it is after a trip through JSON: as a restarted agent would. */
const persisted = (run: RuleRun): RuleRun => JSON.parse(JSON.stringify(run));

describe('running a rule', () => {
  it('runs, holds, proves, releases and measures, with nothing kept between calls but the record', async () => {
    const world = aWorld();
    const rule = aRule('echo first', `echo max=17; ${waitCommandPlaceholder}; echo unlocked`, 'echo inside the hold');
    let run = await world.plan(rule);
    for (let calls = 0; decideRule(run).phase === 'Run' && calls < 10; calls += 1) {
      run = persisted(await world.make().advance(run, rule));
    }
    assert.equal(decideRule(run).phase, 'Holding');
    assert.deepEqual(
      run.steps.map((step) => step.targets.map(({ state, output }) => [state, output])),
      [[['Done', 'first']], [['Holding', 'max=17']], [['Done', 'inside the hold']]],
    );
    run = persisted(await world.make().prove(run));
    run = persisted(await world.make().release(run));
    assert.equal(decideRule(run).phase, 'Done');
    assert.deepEqual(decideConsistency(run), { consistent: 'Yes' });
    assert.match(summarizeHold(run)?.text ?? '', /^Writers were blocked for \d+ ms \(shop\/db-0\)$/);
    assert.equal(run.steps[1]?.targets[0]?.output, 'max=17\nunlocked');
    assert.equal(mayHold(run), false);
    await world.make().clear(run);
    assert.deepEqual(filesOf(run), []);
  });

  it('finds and releases what was started but never recorded', async () => {
    const world = aWorld();
    const rule = aRule(`${waitCommandPlaceholder}`);
    const planned = await world.plan(rule);
    await world.make().advance(planned, rule);
    assert.equal(mayHold(planned), true);
    const released = await world.make().release(planned);
    assert.equal(mayHold(released), false);
    assert.equal(released.steps[0]?.targets[0]?.exitCode, 0);
  });

  it('starts a command once although the record of its start was lost', async () => {
    const world = aWorld();
    const rule = aRule(`echo started; ${waitCommandPlaceholder}`);
    const planned = await world.plan(rule);
    await world.make().advance(planned, rule);
    const again = await world.make().advance(planned, rule);
    assert.equal(again.steps[0]?.targets[0]?.output, 'started');
    await world.make().release(again);
  });

  it('is not consistent when the dead-man timer let go before the cut was known', async () => {
    const world = aWorld({ holdSeconds: 1 });
    const rule = aRule(`${waitCommandPlaceholder}`);
    let run = await world.make().advance(await world.plan(rule), rule);
    assert.equal(decideRule(run).phase, 'Holding');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    run = await world.make().prove(run);
    const consistency = decideConsistency(run);
    assert.equal(consistency.consistent, 'No');
    assert.match(consistency.message, /own deadline/);
    run = await world.make().release(run);
    assert.equal(mayHold(run), false);
  });

  it('tries to release again while the pod cannot be reached', async () => {
    const world = aWorld();
    const rule = aRule(`${waitCommandPlaceholder}`);
    let run = await world.make().advance(await world.plan(rule), rule);
    world.setDown(true);
    run = await world.make().release(run);
    assert.equal(mayHold(run), true);
    world.setDown(false);
    run = await world.make().release(run);
    assert.equal(mayHold(run), false);
  });

  it('fails when the pod was replaced by one of the same name', async () => {
    const world = aWorld();
    const rule = aRule('echo hello');
    const run = await world.plan(rule);
    const replaced = world.pod('db-0');
    world.server.seed(core.pods, { ...replaced, metadata: { ...replaced.metadata, uid: 'another' } });
    const verdict = decideRule(await world.make().advance(run, rule));
    assert.deepEqual(verdict.phase === 'Failed' && verdict.code, 'PodGone');
  });

  it('fails with the output of a command that fails', async () => {
    const world = aWorld();
    const rule = aRule('echo no such database >&2; exit 4');
    const verdict = decideRule(await world.make().advance(await world.plan(rule), rule));
    assert.equal(verdict.phase, 'Failed');
    assert.match(verdict.message, /exit code 4 in shop\/db-0 \(container db\): no such database/);
  });

  it('stops at a rule that was edited meanwhile', async () => {
    const world = aWorld();
    const run = await world.plan(aRule('echo a'));
    const verdict = decideRule(await world.make().advance(run, aRule('echo b')));
    assert.deepEqual(verdict.phase === 'Failed' && verdict.code, 'RuleChanged');
  });

  it('throws the caller’s abort and nothing else', async () => {
    const world = aWorld();
    const rule = aRule('echo a');
    const run = await world.plan(rule);
    await assert.rejects(world.make().advance(run, rule, AbortSignal.abort(new Error('stop'))), /stop/);
  });
});

const filesOf = (run: RuleRun): readonly string[] => {
  const keys = run.steps.flatMap((step) => step.targets.flatMap((target) => target.key ?? []));
  return readdirSync('/tmp').filter((name) => keys.some((key) => name.startsWith(`.stork-rule-${key}`)));
};
