/**
 * Issue 3, acceptance 4: both agents and both movers are killed with SIGKILL in one migration, once each, and the link is
 * dead for ten seconds in another; each ends Successful, with equal data and nothing left over. The link is slowed down,
 * so that there is a middle to kill in; how far the copy is, the link's own counter says.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, CommandResult } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { countLinkBytes, cutLink, restoreLink, shapeLink } from '../testbed/link.ts';
import { agentNamespace, type Bed, bed, eventually, migration, removeNamespaces } from './bed.ts';
import { deployFiller, fillerDigest, leftoversOf, rewriteFiles } from './filler.ts';
import { killPod, type PodView, podsOf } from './node-access.ts';

const namespace = 'kills';
const megabytes = 240;
const megabit = 1_000_000;
const megabyte = 1_000_000;
/** A copy of 240 MB takes 10 s at least. */
const rate = { bitsPerSecond: 200 * megabit };

interface Victim {
  readonly what: string;
  readonly side: (clusters: Bed) => Cluster;
  readonly isVictim: (pod: PodView) => boolean;
}

const agentLabel = 'app.kubernetes.io/name=stork-agent';
const isAgent = (pod: PodView) => pod.metadata.labels?.['app.kubernetes.io/name'] === 'stork-agent';
const roleOf = (pod: PodView) => pod.metadata.labels?.['batch.kubernetes.io/job-name'] ?? '';
const victims: readonly Victim[] = [
  { what: 'source mover', side: ({ a }) => a, isVictim: (pod) => roleOf(pod).startsWith('stork-read-') },
  { what: 'destination mover', side: ({ b }) => b, isVictim: (pod) => roleOf(pod).startsWith('stork-write-') },
  { what: 'source agent', side: ({ a }) => a, isVictim: (pod) => isAgent(pod) },
  { what: 'destination agent', side: ({ b }) => b, isVictim: (pod) => isAgent(pod) },
];

describe('kills in mid-migration', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await restoreLink();
    await removeNamespaces(clusters, namespace);
    await deployFiller(clusters.a, namespace, { megabytes });
    // New pods, so that the kubelet doesn't hold earlier tests' kills against them and restarts them at once.
    await Promise.all([clusters.a, clusters.b].map(renewAgent));
    await shapeLink(rate);
  });
  after(async () => {
    await restoreLink();
    await removeNamespaces(clusters, namespace);
  });

  it('a first migration survives the kill of each agent and each mover', async () => {
    const result = await migrateWhile('first', async () => {
      for (const victim of victims) await killInMidCopy(clusters, victim);
    });
    await assertArrived('first', result);
  });

  it('a sync survives them too, and the link’s death for 10 s', async () => {
    await rewriteFiles(clusters.a, namespace, [0, 2, 3, 5, 6, 8, 9, 11]);
    const result = await migrateWhile('second', async () => {
      for (const victim of victims) await killInMidCopy(clusters, victim);
      await cutForTenSeconds();
    });
    await assertArrived('second', result);
  });

  async function migrateWhile(name: string, harm: () => Promise<void>): Promise<CommandResult> {
    const startedMs = Date.now();
    const running = clusters.a.stork(['migrate', namespace, '--to', 'b', '--name', name], { timeoutMs: 240_000 });
    const [result] = await Promise.all([running, harm()]);
    console.log(`${name}: ${Math.round((Date.now() - startedMs) / 1000)} s`);
    return result;
  }

  async function assertArrived(name: string, result: CommandResult): Promise<void> {
    expectSuccess(result);
    const done = await migration(clusters.a, namespace, name);
    assert.equal(done.status.status, 'Successful', done.status.reason ?? '');
    assert.equal(await fillerDigest(clusters.b, namespace), await fillerDigest(clusters.a, namespace));
    assert.deepEqual(await leftoversOf(clusters, done.metadata.uid), []);
  }
});

/** Kills when at least 10 MB more of the copy have crossed the link. */
async function killInMidCopy(clusters: Bed, victim: Victim): Promise<void> {
  await moreBytes(10 * megabyte);
  const side = victim.side(clusters);
  const pod = await eventually(`a ${victim.what}`, async () => {
    const pods = [...(await podsOf(side, 'stork.libopenstorage.org/run')), ...(await podsOf(side, agentLabel))];
    return pods.find((one) => victim.isVictim(one) && one.status.containerStatuses?.[0]?.state?.running !== undefined);
  });
  const killed = await killPod(pod);
  assert.ok(killed > 0, `no process of the ${victim.what} was found`);
  console.log(
    `${new Date().toISOString()} killed the ${victim.what}: ${pod.metadata.namespace}/${pod.metadata.name}, ${killed} processes`,
  );
}

async function cutForTenSeconds(): Promise<void> {
  await moreBytes(5 * megabyte);
  await using _cut = await cutLink();
  console.log('the link is cut for 10 s');
  await sleep(10_000);
}

async function moreBytes(amount: number): Promise<void> {
  const { aToB } = await countLinkBytes();
  const more = async () => ((await countLinkBytes()).aToB >= aToB + amount ? true : undefined);
  await eventually(`${amount / megabyte} MB more over the link`, more, 90_000);
}

async function renewAgent(side: Cluster): Promise<void> {
  await side.kubectl(['-n', agentNamespace, 'rollout', 'restart', 'deployment/stork-agent']);
  await side.kubectl(['-n', agentNamespace, 'rollout', 'status', 'deployment/stork-agent', '--timeout=180s']);
}
