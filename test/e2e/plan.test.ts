/** Issue 4, acceptance 6: a plan changes nothing on either cluster, and the run that follows does exactly what it said. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Cluster } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { type Bed, bed, type MigrationView, migration, removeNamespaces } from './bed.ts';
import { deployFiller } from './filler.ts';

const namespace = 'plan';

interface Planned {
  readonly status: {
    readonly stage: string;
    readonly status: string;
    readonly plan: {
      readonly verdict: string;
      readonly objects: readonly {
        readonly kind: string;
        readonly namespace?: string;
        readonly name: string;
        readonly action: string;
        readonly reason?: string;
        readonly changes?: readonly { readonly path: string }[];
      }[];
      readonly volumes: readonly { readonly persistentVolumeClaim: string; readonly action: string }[];
      readonly refusals?: readonly string[];
    };
  };
}

/** What changes by itself: heartbeats, and what happened rather than what is. */
const restless = /^(componentstatuses|events|leases|nodes|csinodes|clusterpairs|podmetrics|nodemetrics)(\.|$)/;

describe('a plan on real clusters', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeNamespaces(clusters, namespace);
    await deployFiller(clusters.a, namespace, { megabytes: 20 });
  });
  after(() => removeNamespaces(clusters, namespace));

  const run = (name: string, ...flags: readonly string[]) =>
    clusters.a.stork(['migrate', namespace, '--to', 'b', '--name', name, ...flags], { timeoutMs: 300_000 });

  /** Plans, and sees that every object of both clusters has the version it had. */
  async function plan(name: string, exitCode: number): Promise<Planned['status']['plan']> {
    const earlier = await settledVersions(clusters);
    const args = ['plan', 'migrate', namespace, '--to', 'b', '--name', name, '-o', 'json'];
    const result = await clusters.a.stork(args, { timeoutMs: 120_000 });
    assert.equal(result.exitCode, exitCode, `${result.stdout}${result.stderr}`);
    assert.deepEqual(await versions(clusters), earlier);
    const events = ['get', 'events', '-n', namespace, '--field-selector', `involvedObject.name=${name}`, '-o', 'name'];
    assert.equal(await clusters.a.kubectl(events), '');
    const { status }: Planned = JSON.parse(result.stdout);
    assert.equal(status.stage, 'Planned');
    return status.plan;
  }

  it('of a first migration', async () => {
    const planned = await plan('look-1', 0);
    assert.equal(planned.verdict, 'Ready', JSON.stringify(planned.objects.filter(({ action }) => action === 'Fail')));
    assert.deepEqual(
      planned.volumes.map(({ persistentVolumeClaim, action }) => [persistentVolumeClaim, action]),
      [['filler', 'Fill']],
    );
    expectSuccess(await run('first'));
    assertSame(planned, await migration(clusters.a, namespace, 'first'));
  });

  it('of a second one: changes, conflicts, and what stays is not written', async () => {
    const { a, b } = clusters;
    const patch = '{"data":{"purpose":"another test"}}';
    await a.kubectl(['-n', namespace, 'patch', 'configmap', 'filler', '--type=merge', '-p', patch]);
    for (const side of [a, b])
      await side.kubectl(['-n', namespace, 'create', 'configmap', 'shared', `--from-literal=of=${side.context}`]);
    const planned = await plan('look-2', 0);
    assert.equal(planned.verdict, 'Partial');
    const of = (kind: string, name: string) => planned.objects.find((one) => one.kind === kind && one.name === name);
    assert.equal(of('ConfigMap', 'shared')?.action, 'Conflict');
    assert.equal(of('Deployment', 'filler')?.action, 'Unchanged');
    assert.deepEqual(
      of('ConfigMap', 'filler')?.changes?.map(({ path }) => path),
      ['data.purpose'],
    );
    const deployment = ['deployment', 'filler', '-n', namespace];
    const before = await b.get<{ metadata: { generation: number } }>(deployment);
    assert.equal((await run('second')).exitCode, 2);
    assertSame(planned, await migration(a, namespace, 'second'));
    assert.equal((await b.get<typeof before>(deployment)).metadata.generation, before.metadata.generation);
  });

  it('of one that would be refused', async () => {
    const { b } = clusters;
    await b.kubectl(['-n', namespace, 'scale', 'deployment', 'filler', '--replicas=1']);
    await b.kubectl(['-n', namespace, 'rollout', 'status', 'deployment/filler', '--timeout=120s']);
    const planned = await plan('look-3', 1);
    assert.equal(planned.verdict, 'Refused');
    assert.match(planned.refusals?.join() ?? '', /filler is in use on the destination by pod filler-/);
    const refused = await run('third');
    assert.equal(refused.exitCode, 1);
    assert.match(`${refused.stdout}${refused.stderr}`, /in use on the destination by pod filler-/);
  });

  it('is read by people', async () => {
    const args = ['plan', 'migrate', namespace, '--to', 'b', '--overwrite-destination', '--diff', '-o', 'wide'];
    const { stdout } = expectSuccess(await clusters.a.stork(args, { timeoutMs: 120_000 }));
    console.log(stdout);
    assert.match(stdout, /^Migrating plan to b would succeed in part$/m);
    assert.match(stdout, /^plan\/filler\s+Update\s/m);
    assert.match(stdout, /^Nothing was changed on either cluster$/m);
  });
});

function assertSame(planned: Planned['status']['plan'], done: MigrationView): void {
  const ends = (action: string) => (action === 'Conflict' || action === 'Fail' ? 'Failed' : 'Successful');
  assert.deepEqual(
    planned.objects
      .filter(({ action }) => action !== 'Skip')
      .map(({ kind, name, action }) => `${kind}/${name} ${ends(action)}`)
      .toSorted(),
    (done.status.resources ?? []).map(({ kind, name, status }) => `${kind}/${name} ${status}`).toSorted(),
  );
}

/** Waits for what earlier steps left to controllers: a removed claim's PersistentVolume goes when its node has let go of it. */
async function settledVersions(clusters: Bed): Promise<readonly string[]> {
  for (let earlier = await versions(clusters), looks = 1; ; looks++) {
    await sleep(2000);
    const now = await versions(clusters);
    if (isDeepStrictEqual(now, earlier)) return now;
    assert.ok(looks < 60, 'the clusters never came to rest');
    earlier = now;
  }
}

/** Of every object of every kind that can be listed, on both clusters. */
async function versions({ a, b }: Bed): Promise<readonly string[]> {
  const sides = await Promise.all([a, b].map(versionsOf));
  return sides.flat();
}

async function versionsOf(side: Cluster): Promise<readonly string[]> {
  const listed = await side.kubectl(['api-resources', '--verbs=list', '-o', 'name']);
  const kinds = listed.split('\n').filter((kind) => kind !== '' && !restless.test(kind));
  const columns =
    'custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name,U:.metadata.uid,V:.metadata.resourceVersion';
  const text = await side.kubectl(['get', kinds.join(','), '-A', '--no-headers', '-o', columns]);
  return text
    .split('\n')
    .filter((line) => line !== '' && !/^Migration\s+\S+\s+look-/.test(line))
    .map((line) => `${side.context} ${line}`)
    .toSorted();
}
