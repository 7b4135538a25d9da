import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { packObjects } from '../crds/packed-plan.ts';
import { type MigrationPlan, type MigrationStatus, migrations, type PlannedObject } from '../crds/v1alpha1/index.ts';
import { assertGolden, type RunOptions, seedPair, type TerminalWorld, terminalWorld } from './terminal-world.ts';

const start = new Date('2026-11-21T06:30:00Z');
const key = { namespace: 'shop', name: 'plan-shop-2026-11-21-063000' };

const anObject = (kind: string, name: string, more: Partial<PlannedObject> = {}): PlannedObject => ({
  ...{ group: kind === 'Deployment' ? 'apps' : '', version: 'v1', kind, namespace: 'shop', name, action: 'Create' },
  ...more,
});

const objects: readonly PlannedObject[] = [
  anObject('ConfigMap', 'theirs', { action: 'Conflict', reason: 'an object of that name did not come by a migration' }),
  anObject('Deployment', 'web', {
    action: 'Update',
    changes: [{ path: 'spec.template.spec.containers[web].image', before: '"web:1"', after: '"web:2"' }],
  }),
  anObject('ConfigMap', 'settings'),
  anObject('Secret', 'login', { action: 'Unchanged' }),
];

const aPlan = (more: Partial<MigrationPlan> = {}): MigrationPlan => ({
  verdict: 'Partial',
  missing: ['IngressClass nginx does not exist on west'],
  counts: { create: 1, update: 1, unchanged: 1, conflict: 1 },
  kinds: [
    { group: '', kind: 'ConfigMap', create: 1, update: 0, unchanged: 0, other: 1 },
    { group: 'apps', kind: 'Deployment', create: 0, update: 1, unchanged: 0, other: 0 },
    { group: '', kind: 'Secret', create: 0, update: 0, unchanged: 1, other: 0 },
  ],
  packedObjects: packObjects(objects).packed,
  volumes: [
    {
      ...{ namespace: 'shop', persistentVolumeClaim: 'data', action: 'Update' as const, cut: 'Snapshot' as const },
      ...{ capacityBytes: 2 ** 31, usedBytes: 2 ** 30, reason: 'only what differs is sent' },
    },
  ],
  bytesTotal: 2 ** 30,
  estimate: { seconds: 20, bytesPerSecond: 5e7, how: 'with the speed of the last migration to this pair' },
  rules: ['lock: before the volumes are cut, held in the background until they are, in shop/db-0 (mysql)'],
  activeSideAfter: 'east (source) is active; west (destination) holds a copy that is not started',
  ...more,
});

async function begin(
  line: string,
  options?: RunOptions,
): Promise<{ readonly world: TerminalWorld; readonly running: Promise<number> }> {
  const world = terminalWorld({ start });
  const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };
  const shop = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
  await world.servers.east.client().create(namespaces, shop);
  seedPair(world, 'shop', 'west');
  const running = world.run(line, options);
  await world.settle();
  return { world, running };
}

/** What the agent writes when it has planned. */
async function answer({ servers, clock, settle }: TerminalWorld, plan: MigrationPlan): Promise<void> {
  await clock.advance(1000);
  const status: MigrationStatus = { stage: 'Planned', status: 'PartialSuccess', plan };
  await servers.east.client().patch(migrations, key, { type: 'merge', body: { status } }, { subresource: 'status' });
  await settle();
}

const left = ({ servers }: TerminalWorld) => servers.east.client().find(migrations, key);

describe('plan migrate', () => {
  for (const [name, flags, stays] of [
    ['plan', '', 'No'],
    ['plan-wide', ' -o wide --diff --keep', 'Yes'],
    ['plan-name', ' -o name', 'No'],
    ['plan-yaml', ' -o yaml', 'No'],
  ] as const)
    it(`shows what would happen${flags}`, async () => {
      const { world, running } = await begin(`plan migrate shop --to west${flags}`);
      assert.equal((await left(world))?.spec.dryRun, true);
      await answer(world, aPlan());
      assert.equal(await running, 0);
      assert.equal((await left(world)) === undefined ? 'No' : 'Yes', stays);
      await assertGolden(`${name}.txt`, world.transcript().replaceAll(/uid: .*/g, 'uid: (some)'));
    });

  it('ends with 1 when something would refuse it', async () => {
    const { world, running } = await begin('plan migrate shop --to west');
    await answer(world, aPlan({ verdict: 'Refused', refusals: ['shop/data is in use on west by pod db-0'] }));
    assert.equal(await running, 1);
    assert.match(world.transcript(), /would be refused\n {2}refused: shop\/data is in use/);
  });

  it('is what migrate --dry-run does', async () => {
    const { world, running } = await begin('migrate shop --to west --dry-run --timeout 5s');
    for (let second = 0; second < 8; second += 1) await world.clock.advance(1000);
    assert.equal(await running, 1);
    await assertGolden('plan-timeout.txt', world.transcript());
  });

  it('is what create migration --dry-run does', async () => {
    const line = `create migration ${key.name} -n shop --namespaces shop -c west --dry-run -o name`;
    const { world, running } = await begin(line);
    await answer(world, aPlan());
    assert.equal(await running, 0);
    assert.match(world.transcript(), /\ndeployment\.apps\/web\n/);
    assert.equal(await left(world), undefined);
    assert.equal(await world.run(line.replace('--dry-run', '--dry-run=server')), 0);
    assert.equal(await left(world), undefined);
  });

  it('takes the plan away when it is interrupted', async () => {
    const stop = new AbortController();
    const { world, running } = await begin('plan migrate shop --to west', { interrupt: stop.signal });
    stop.abort();
    assert.equal(await running, 130);
    assert.equal(await left(world), undefined);
  });

  it('shows a plan that was kept', async () => {
    const { world, running } = await begin('plan migrate shop --to west --keep');
    await answer(world, aPlan());
    await running;
    assert.equal(await world.run(`plan show ${key.name} -n shop -o name`), 0);
    assert.match(world.transcript(), /\ndeployment\.apps\/web\nconfigmap\/settings\n/);
  });
});
