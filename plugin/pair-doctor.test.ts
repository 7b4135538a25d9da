import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { probeAnnotation } from '../crds/agent-names.ts';
import { type ClusterPairStatus, type Condition, clusterPairs } from '../crds/v1alpha1/index.ts';
import { core } from '../kube/client/core.ts';
import { assertGolden, type TerminalWorld, terminalWorld } from './terminal-world.ts';

const namespace = 'stork-system';
const at = '2026-11-21T06:30:00Z';
const fingerprint = 'SHA256:q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA';
const is = (type: string, status: 'True' | 'False', reason: string, message: string): Condition => ({
  ...{ type, status, reason, message },
  lastTransitionTime: at,
});
const joined = is('Joined', 'True', 'Joined', 'Paired by code with west.');
const confirmed = is('Confirmed', 'True', 'PinnedByCode', "The peer's key is the one that the code named.");
type ProbeRow = NonNullable<ClusterPairStatus['probe']>['endpoints'][number];
const passed = (endpoint: string): ProbeRow => ({
  ...{ endpoint, whose: 'Peer', hop: 'Key', result: 'Passed' },
  ...{ code: 'Passed', message: 'the right key answers there' },
});
const refused: ProbeRow = {
  ...{ endpoint: '10.250.2.11:30443', whose: 'Peer', hop: 'Connect', result: 'Failed' },
  ...{ code: 'ConnectionRefused', message: 'nothing listens there', hint: 'Check the port.' },
};

interface Scene {
  readonly agent?: 'Installed' | 'Absent';
  readonly side?: 'accept' | 'join';
  readonly status?: ClusterPairStatus;
  readonly probe?: readonly ProbeRow[];
  readonly answers?: 'Yes' | 'No';
  readonly account?: 'Exists' | 'Missing';
}

async function aWorld(scene: Scene): Promise<TerminalWorld> {
  const world = terminalWorld({ start: new Date(at) });
  const server = world.servers.east;
  if (scene.agent !== 'Absent') {
    const metadata = { name: 'stork-agent', namespace };
    const base = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, status: { readyReplicas: 1 } };
    server.seed(core.deployments, { ...base, spec: { replicas: 1, selector: {}, template: {} } });
  }
  if (scene.account !== 'Missing') {
    const metadata = { name: 'stork-peer', namespace };
    server.seed(core.serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  }
  const side =
    scene.side === 'accept'
      ? { accept: { endpoints: ['10.250.1.11:30443'], ttlSeconds: 3600 } }
      : { join: { codeSecret: 's' } };
  await server.client().create(clusterPairs, {
    apiVersion: clusterPairs.apiVersion,
    kind: 'ClusterPair',
    metadata: { name: 'west', namespace },
    spec: { ...side, grant: { namespaces: ['shop'], directions: ['Receive'], serviceAccount: 'stork-peer' } },
  });
  await writeStatus(world, scene.status ?? {});
  return world;
}

const key = { namespace, name: 'west' };
const writeStatus = (world: TerminalWorld, status: ClusterPairStatus) =>
  world.servers.east.client().patch(clusterPairs, key, { type: 'merge', body: { status } }, { subresource: 'status' });

/** Runs the doctor while the agent, if it answers, does its part. */
async function examine(scene: Scene, line = 'pair doctor west') {
  const world = await aWorld(scene);
  let over = false;
  const running = world.run(line).finally(() => {
    over = true;
  });
  let answered = scene.answers === 'No';
  for (let tries = 0; tries < 200 && !over; tries++) {
    await world.clock.advance(answered ? 500 : 0);
    const pair = await world.servers.east.client().find(clusterPairs, key);
    const token = pair?.metadata.annotations?.[probeAnnotation];
    if (token === undefined || answered) continue;
    answered = true;
    await writeStatus(world, { probe: { token, time: at, endpoints: [...(scene.probe ?? [])] } });
  }
  return { exit: await running, said: world.transcript() };
}

const connected = is('Connected', 'True', 'Connected', 'The peer is connected.');
const scenes: Readonly<Record<string, Scene & { readonly blocked?: string }>> = {
  'a pair that works': {
    status: {
      conditions: [joined, confirmed, connected, is('Healthy', 'True', 'Healthy', 'Clocks and versions agree.')],
      roundTripMs: 1.2,
      peer: { fingerprint, cluster: 'west', capacity: 'fast 120Gi, slow unknown' },
    },
    probe: [passed('10.250.2.11:30443')],
  },
  'one address of two is closed': {
    status: { conditions: [joined, confirmed, connected] },
    probe: [refused, passed('10.250.2.12:30443')],
  },
  'the wire was cut a moment ago': {
    status: { conditions: [joined, confirmed, connected], lastSeenTime: '2026-11-21T06:29:50Z', roundTripMs: 1.2 },
    probe: [refused],
  },
  'the peer is down': {
    status: {
      conditions: [joined, confirmed, is('Connected', 'False', 'PeerUnreachable', '10.250.2.11:30443 refused.')],
      lastSeenTime: '2026-11-21T06:10:00Z',
    },
    probe: [refused],
    blocked: 'TCP',
  },
  'the dialling side is down': {
    side: 'accept',
    status: {
      conditions: [joined, confirmed, is('Connected', 'False', 'WaitingForPeer', 'The peer has not connected.')],
    },
    probe: [{ ...refused, endpoint: '10.250.1.11:30443', whose: 'Own' }],
    blocked: 'link',
  },
  'the code was not used': {
    side: 'accept',
    status: { conditions: [is('Joined', 'False', 'WaitingForJoiner', 'Nobody has used the code yet.')] },
    blocked: 'code',
  },
  'the code expired': {
    side: 'accept',
    status: {
      conditions: [
        is('Invited', 'False', 'CodeExpired', 'The code expired unused.'),
        is('Joined', 'False', 'CodeExpired', 'The code expired unused.'),
      ],
    },
    blocked: 'code',
  },
  'nobody confirmed here': {
    side: 'accept',
    status: {
      conditions: [
        joined,
        is('Confirmed', 'False', 'AwaitingConfirmation', 'Compare SHA256:…'),
        is('Connected', 'False', 'AwaitingConfirmation', 'It awaits confirmation.'),
      ],
    },
    blocked: 'confirmation',
  },
  'nobody confirmed there': {
    status: {
      ownFingerprint: fingerprint,
      conditions: [
        joined,
        confirmed,
        is('Connected', 'False', 'AwaitingConfirmation', 'The other cluster says: wait.'),
      ],
    },
    probe: [passed('10.250.2.11:30443')],
    blocked: 'confirmation',
  },
  'the pair was revoked there': {
    status: {
      conditions: [joined, confirmed, is('Connected', 'False', 'Revoked', 'The other cluster revoked the pair.')],
    },
    probe: [passed('10.250.2.11:30443')],
    blocked: 'link',
  },
  'the granted account is gone': {
    account: 'Missing',
    status: { conditions: [joined, confirmed, connected] },
    probe: [passed('10.250.2.11:30443')],
    blocked: 'grant',
  },
  'the agent does not answer': { answers: 'No', blocked: 'answer' },
  'the agent is not installed': { agent: 'Absent', blocked: 'agent' },
};

describe('pair doctor', () => {
  it('names the hop that blocks and what to do next', async () => {
    const transcript: string[] = [];
    for (const [what, scene] of Object.entries(scenes)) {
      const { exit, said } = await examine(scene);
      assert.equal(exit, scene.blocked === undefined ? 0 : 1, `${what}\n${said}`);
      if (scene.blocked !== undefined) assert.match(said, new RegExp(`blocked at ${scene.blocked}\n`), what);
      transcript.push(`# ${what}\n${said}`);
    }
    transcript.push((await examine({}, 'pair doctor nobody')).said);
    transcript.push((await examine({ answers: 'No' }, 'pair doctor -n elsewhere')).said);
    await assertGolden('pair-doctor.txt', transcript.join('\n'));
  });
});
