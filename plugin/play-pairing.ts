/**
 * For tests of pairing at a terminal: two clusters where an agent could be, and the agents' parts played by hand.
 * tidy: ambient-calls because only tests import this file.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterPair, type ClusterPairStatus, type Condition, clusterPairs } from '../crds/v1alpha1/index.ts';
import type { KubeClient } from '../kube/client/client.ts';
import { core } from '../kube/client/core.ts';
import { type TerminalWorld, terminalWorld } from './terminal-world.ts';

export const start = new Date('2026-11-21T06:30:00Z');
export const code = 'stork1.eyJwYWlySWQiOiJ4In0.0a1b2c3d';
export const namespace = 'stork-system';
export const fingerprint = 'SHA256:q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA';

export type Agent = (client: KubeClient, pair: ClusterPair) => Promise<void>;

export const condition = (type: string, status: 'True' | 'False', message = '', reason = type): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-11-21T06:30:00Z',
});

export async function write(client: KubeClient, { metadata }: ClusterPair, status: ClusterPairStatus): Promise<void> {
  const key = { namespace: metadata.namespace, name: metadata.name };
  await client.patch(clusterPairs, key, { type: 'merge', body: { status } }, { subresource: 'status' });
}

/** What agent/pairing shows of a pair, in the order it comes. */
export const inviting: Agent = async (client, pair) => {
  const metadata = { name: `stork-invite-${pair.metadata.name}`, namespace: pair.metadata.namespace ?? '' };
  await client.create(core.secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    data: { code: Buffer.from(code).toString('base64') },
  });
  await write(client, pair, { schedulerStatus: 'Pending', conditions: [condition('Invited', 'True')] });
};
export const joined = (ready: 'True' | 'False'): ClusterPairStatus => ({
  schedulerStatus: ready === 'True' ? 'Ready' : 'Pending',
  ownFingerprint: fingerprint,
  peer: { fingerprint, cluster: 'east' },
  conditions: [condition('Joined', 'True'), condition('Ready', ready, 'Waits for confirmation')],
});

/**
 * Runs the line while playing the agents: each waits for its pair, then does its part. Commands read real files too, which
 * take real time, so a pair is looked for until it is there or the command has ended without it.
 */
export async function play(
  world: TerminalWorld,
  line: string,
  parts: readonly (readonly [context: 'east' | 'west', agent: Agent])[],
  stdin = '',
) {
  const running = world.run(line, { stdin });
  const ended = running.then(() => 'Ended' as const);
  for (const [context, agent] of parts) {
    const client = world.servers[context].client();
    for (let pair: ClusterPair | undefined; pair === undefined; ) {
      await world.settle();
      pair = (await client.listPage(clusterPairs)).items[0];
      if (pair !== undefined) await agent(client, pair);
      else if ((await Promise.race([ended, sleep(1)])) === 'Ended') return running;
    }
    await world.clock.advance(600);
  }
  while ((await Promise.race([ended, sleep(5)])) !== 'Ended') await world.clock.advance(600);
  return running;
}

export async function pairWorld(): Promise<TerminalWorld> {
  const world = terminalWorld({ start });
  for (const server of Object.values(world.servers)) {
    const metadata = { name: 'stork-pair', namespace };
    server.seed(core.services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { ports: [{ port: 8443, nodePort: 30443 }] },
    });
    const status = { addresses: [{ type: 'InternalIP', address: '10.250.2.11' }] };
    server.seed(core.nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, status });
  }
  return world;
}

export const becomesReady: Agent = (client, pair) => write(client, pair, joined('True'));
export const becomesJoined: Agent = (client, pair) => write(client, pair, joined('False'));
