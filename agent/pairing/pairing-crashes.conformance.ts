import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { systemClock } from '../../kube/clock.ts';
import { faulty } from '../../kube/fake/faulty.ts';
import { agentNamespace, pairUp, startCluster, type TestCluster } from './test-cluster.ts';

/** Writes an agent makes while it is paired; a death later than these is no death of pairing. */
const writes = { a: 9, b: 5 } as const;

describe('pairing with an agent that dies', () => {
  for (const side of ['a', 'b'] as const) {
    for (const moment of ['Before', 'After'] as const) {
      for (let at = 1; at <= writes[side]; at++) {
        it(`${side} ${moment.toLowerCase()} its write ${at}: both still become Ready, no code is left over`, () =>
          pairThroughDeath(side, at, moment));
      }
    }
  }
});

async function pairThroughDeath(side: 'a' | 'b', at: number, moment: 'Before' | 'After'): Promise<void> {
  await using a = await startCluster('a');
  await using b = await startCluster('b');
  const victim = side === 'a' ? a : b;
  const dying = faulty(victim.client);
  await victim.restart(dying);
  dying.dieAtWrite(at, moment);
  const pairing = pairUp(a, b);
  const replaced = replaceWhenDead(victim, dying, pairing);
  await pairing;
  await replaced;
  await noCodesLeft(a);
  await noCodesLeft(b);
}

/** Starts another process once the first is cut off from its API server. */
async function replaceWhenDead(victim: TestCluster, dying: KubeClient, pairing: Promise<void>): Promise<void> {
  let over = false;
  const done = () => {
    over = true;
  };
  pairing.then(done, done);
  const isDead = () =>
    dying.find(core.namespaces, { name: agentNamespace }).then(
      () => false,
      () => true,
    );
  while (!over) {
    if (await isDead()) return victim.restart();
    await systemClock().sleep(5);
  }
}

async function noCodesLeft({ client }: TestCluster): Promise<void> {
  const names: string[] = [];
  for await (const { metadata } of client.list(core.secrets, { namespace: agentNamespace })) names.push(metadata.name);
  assert.deepEqual(
    names.filter((name) => /^stork-(invite|join)-/.test(name)),
    [],
  );
}
