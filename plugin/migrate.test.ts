import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { actions, type MigrationStatus, migrations } from '../crds/v1alpha1/index.ts';
import { assertGolden, seedPair, type TerminalWorld, terminalWorld } from './terminal-world.ts';

const start = new Date('2026-11-21T06:30:00Z');
const gib = 1024 ** 3;

/** What the agent would write, a step at a time. */
async function report(
  { servers, clock, settle }: TerminalWorld,
  name: string,
  status: MigrationStatus,
  afterMs = 2000,
) {
  await clock.advance(afterMs);
  const key = { namespace: 'shop', name };
  await servers.east.client().patch(migrations, key, { type: 'merge', body: { status } }, { subresource: 'status' });
  await settle();
}

async function begin(line: string, isTerminal: 'Yes' | 'No' = 'No') {
  const world = terminalWorld({ start });
  const client = world.servers.east.client();
  await client.create(
    { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop' },
    },
  );
  seedPair(world, 'shop', 'west');
  const running = world.run(line, { isTerminal });
  await world.settle();
  return { world, running, name: 'migrate-shop-2026-11-21-063000' };
}

const progress = (bytesDone: number) => ({
  bytesDone,
  bytesTotal: gib,
  bytesSent: bytesDone / 2,
  bytesPerSecond: 50 * 1024 ** 2,
  etaSeconds: 12,
});

async function succeed(world: TerminalWorld, name: string) {
  await report(world, name, { stage: 'Volumes', status: 'InProgress', summary: { volumes: '0/1', resources: '0/0' } });
  await report(world, name, { progress: progress(gib / 4) });
  await report(world, name, { progress: progress(gib / 2) }, 12_000);
  await report(world, name, {
    stage: 'Applications',
    summary: { volumes: '1/1', resources: '3/9' },
    progress: progress(gib),
  });
  await report(world, name, {
    stage: 'Final',
    status: 'Successful',
    finishTimestamp: '2026-11-21T06:30:20Z',
    summary: { volumes: '1/1', resources: '9/9' },
    rule: { blockedMilliseconds: 412 },
  });
}

describe('migrate', () => {
  it('follows in plain lines when piped', async () => {
    const { world, running, name } = await begin('migrate shop --to west');
    await succeed(world, name);
    assert.equal(await running, 0);
    await assertGolden('migrate.txt', world.transcript());
  });

  it('redraws one line on a terminal', async () => {
    const { world, running, name } = await begin('migrate shop --to west --start', 'Yes');
    await succeed(world, name);
    assert.equal(await running, 0);
    await assertGolden('migrate-terminal.txt', world.transcript().replaceAll('\r\u001b[K', '<redraw>\n'));
  });

  it('ends with 2 and every trouble when only part of it came', async () => {
    const { world, running, name } = await begin('migrate shop --to west');
    await report(world, name, {
      stage: 'Final',
      status: 'PartialSuccess',
      reason: '1 of 9 resources was not applied',
      summary: { volumes: '1/1', resources: '8/9' },
      resources: [{ name: 'web', namespace: 'shop', kind: 'Ingress', status: 'Failed', reason: 'Conflict: not ours' }],
      activeSide: 'east is active; west has the application stopped',
    });
    assert.equal(await running, 2);
    await assertGolden('migrate-partial.txt', world.transcript());
  });

  it('ends with 1 and the reason when it failed', async () => {
    const { world, running, name } = await begin('migrate shop --to west');
    await report(world, name, { stage: 'Final', status: 'Failed', reason: 'StorageClass fast is missing on west' });
    assert.equal(await running, 1);
    await assertGolden('migrate-failed.txt', world.transcript());
  });

  it('says when nobody picks it up, and when its time is over', async () => {
    const { world, running } = await begin('migrate shop --to west --timeout 20s');
    for (let second = 0; second < 25; second += 1) await world.clock.advance(1000);
    assert.equal(await running, 1);
    await assertGolden('migrate-unnoticed.txt', world.transcript());
  });

  it('survives dropped connections', async () => {
    const { world, running, name } = await begin('migrate shop --to west');
    world.servers.east.watches.drop();
    await world.clock.advance(5000);
    await report(world, name, { stage: 'Final', status: 'Successful', summary: { volumes: '0/0', resources: '1/1' } });
    await world.clock.advance(5000);
    assert.equal(await running, 0);
  });

  it('only creates it with --detach, only prints it with --dry-run=client', async () => {
    const { world, running } = await begin(
      'migrate shop other --to west --detach --dry-run=client -o yaml --name x --overwriteDestination',
    );
    assert.equal(await running, 0);
    await world.run('migrate shop --to west --detach -l app=web --storage-class-mapping fast=slow');
    await world.run('get migration -n shop -o jsonpath={.items[*].spec}');
    await assertGolden('migrate-detached.txt', world.transcript());
  });
});

describe('repeat migration', () => {
  const earlier = 'migrate-shop-2026-11-21-063000';

  it('asks for the same once more, in the name of whoever types it, and follows that', async () => {
    const { world, running, name } = await begin('migrate shop --to west --start -l app=web --overwrite-destination');
    const early = world.run(`repeat migration ${name} -n shop`);
    assert.equal(await early, 1);
    assert.match(world.transcript(), /has not ended/);
    await report(world, name, { stage: 'Final', status: 'Failed', reason: 'Nobody can say who asked' });
    assert.equal(await running, 1);
    const again = world.run(`repeat migration ${name} -n shop`);
    await world.settle();
    const made = `${name}-again-2026-11-21-063002`;
    const client = world.servers.east.client();
    const [before, after] = await Promise.all(
      [name, made].map((one) => client.get(migrations, { namespace: 'shop', name: one })),
    );
    assert.deepEqual(after?.spec, before?.spec);
    assert.deepEqual([after?.metadata.annotations, after?.status], [undefined, undefined]);
    await report(world, made, { stage: 'Final', status: 'Successful', summary: { volumes: '0/0', resources: '1/1' } });
    assert.equal(await again, 0);
    await world.run(`repeat migration ${made} -n shop --detach --dry-run=client -o name`);
    assert.match(world.transcript(), new RegExp(`${earlier}-again-2026-11-21-063004\n`));
  });
});

describe('activate and deactivate', () => {
  it('repeat what the agent says as it says it', async () => {
    const world = terminalWorld({ start });
    const running = world.run('activate migration -n default');
    await world.settle();
    const client = world.servers.east.client();
    const key = { namespace: 'default', name: 'activate-default-2026-11-21-063000' };
    const say = async (status: object) => {
      await client.patch(actions, key, { type: 'merge', body: { status } }, { subresource: 'status' });
      await world.settle();
    };
    await say({ status: 'In-Progress', messages: ['Updated replicas for deployment default/web to 2'] });
    const messages = [
      'Updated replicas for deployment default/web to 2',
      'Updated suspend for cronjob default/tidy to false',
    ];
    await say({ status: 'Successful', stage: 'Final', messages });
    assert.equal(await running, 0);
    const failing = world.run('deactivate migrations --all-namespaces');
    await world.clock.advance(1000);
    assert.equal(await Promise.race([failing, world.settle().then(() => 'runs')]), 1);
    await assertGolden('activate.txt', world.transcript());
  });

  it('can be asked for twice in one second', async () => {
    const world = terminalWorld({ start });
    const client = world.servers.east.client();
    const running = [world.run('activate migration -n default'), world.run('activate migration -n default')];
    await world.settle();
    const base = 'activate-default-2026-11-21-063000';
    for (const name of [base, `${base}-2`]) {
      const body = { status: { status: 'Successful', stage: 'Final', messages: [] } };
      await client.patch(actions, { namespace: 'default', name }, { type: 'merge', body }, { subresource: 'status' });
    }
    await world.clock.advance(1000);
    assert.deepEqual(await Promise.all(running), [0, 0]);
  });
});

describe('create and delete', () => {
  it('say what they did, as Stork does', async () => {
    const world = terminalWorld({ start });
    await world.run('create migration m1 --namespaces default -c west');
    await world.run('create migration m1 --namespaces default -c west');
    await world.run(
      'create migration m2 --namespaces default --clusterPair west --startApplications=false --dry-run=server -o name',
    );
    await world.run('create rule flush --pod-selector app=db --command sync');
    await world.run('create migration -f -', {
      stdin:
        'apiVersion: stork.libopenstorage.org/v1alpha1\nkind: Migration\nmetadata: {name: m3}\nspec: {clusterPair: west, namspaces: [x]}\n',
    });
    await world.run('create clusterpair -f -', { stdin: 'kind: Pod\n' });
    await world.run('create rule -f /nowhere.yaml');
    await world.run('create resourcetransformation');
    await world.run('create resourcetransformation -n default -f examples/stork/resourcetransformation.yaml');
    await world.run('delete resourcetransformation mysql-service-transform');
    await world.run('get mig');
    await world.run('delete migration m1 m9');
    await world.run('delete rule flush nope --ignore-not-found');
    await assertGolden('create-delete.txt', world.transcript());
  });
});
