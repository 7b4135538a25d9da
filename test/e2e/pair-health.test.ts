/** Issue 4: a pair's health is shown, `pair doctor` names the hop that blocks on either side, and a cut link heals by itself. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Cluster } from '../demo/commands.ts';
import { pairBoth } from '../demo/pairing.ts';
import { cutLink, restoreLink } from '../testbed/link.ts';
import { agentNamespace, type Bed, bed, eventually } from './bed.ts';

interface PairView {
  readonly status: {
    readonly schedulerStatus: string;
    readonly roundTripMs?: number;
    readonly clockSkewMs?: number;
    readonly lastSeenTime?: string;
    readonly peer: {
      readonly fingerprint: string;
      readonly version: string;
      readonly capacity?: string;
      readonly endpoints?: readonly string[];
    };
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  };
}

describe('the health of a pair', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed();
    await restoreLink();
  });
  after(restoreLink);

  const pairOf = (side: Cluster) =>
    side.get<PairView>(['clusterpairs.stork.libopenstorage.org', peerName(side), '-n', agentNamespace]);
  const peerName = (side: Cluster) => (side.context === 'a' ? 'b' : 'a');
  const doctor = async (side: Cluster) => {
    const { exitCode, stdout, stderr } = await side.stork(['pair', 'doctor', peerName(side)], { timeoutMs: 90_000 });
    console.log(`${stdout}${stderr}`);
    return { exitCode, said: `${stdout}${stderr}` };
  };
  const whenReady = (side: Cluster, timeoutMs?: number) =>
    eventually(
      `${side.context} is Ready`,
      async () => ((await pairOf(side)).status.schedulerStatus === 'Ready' ? true : undefined),
      timeoutMs,
    );

  it('shows round trip, clock skew, version and free space on both sides', async () => {
    for (const side of [clusters.a, clusters.b]) {
      const { status } = await eventually('measured', async () => {
        const pair = await pairOf(side);
        return pair.status.peer.capacity === undefined ? undefined : pair;
      });
      assert.ok(status.roundTripMs !== undefined && status.roundTripMs < 60_000);
      assert.ok(Math.abs(status.clockSkewMs ?? Number.NaN) < 5000);
      assert.notEqual(status.peer.version, '');
      assert.equal(status.conditions.find(({ type }) => type === 'Healthy')?.status, 'True');
    }
  });

  it('is in the metrics of the agent', async () => {
    const leader = 'stork.libopenstorage.org/leader=true';
    const name = (
      await clusters.a.kubectl([
        '-n',
        agentNamespace,
        'get',
        'pods',
        '-l',
        leader,
        '-o',
        'jsonpath={.items[0].metadata.name}',
      ])
    ).trim();
    const path = `/api/v1/namespaces/${agentNamespace}/pods/${name}:8080/proxy/metrics`;
    const metrics = await clusters.a.kubectl(['get', '--raw', path]);
    assert.match(metrics, /stork_pair_state\{pair="stork-system\/b",state="Connected"\} 1/);
    assert.match(metrics, /stork_pair_round_trip_seconds\{pair="stork-system\/b"\} \d/);
  });

  it('blocks nothing while all is well, seen from either side', async () => {
    for (const side of [clusters.a, clusters.b]) {
      const { exitCode, said } = await doctor(side);
      assert.equal(exitCode, 0);
      assert.match(said, /nothing blocks it/);
    }
  });

  for (const kind of ['Reject', 'Drop'] as const)
    it(`is found blocked at TCP when the link is cut (${kind}), on either side, and heals by itself`, async () => {
      {
        await using _cut = await cutLink(kind);
        await eventually('both notice', async () => {
          const pairs = await Promise.all([clusters.a, clusters.b].map(pairOf));
          return pairs.every(({ status }) => status.schedulerStatus === 'Degraded') ? true : undefined;
        });
        const dialling = await doctor(clusters.a);
        assert.equal(dialling.exitCode, 1);
        assert.match(dialling.said, /blocked at TCP/);
        const accepting = await doctor(clusters.b);
        assert.equal(accepting.exitCode, 1);
        assert.match(accepting.said, /blocked at (link|TCP)/);
      }
      for (const side of [clusters.a, clusters.b]) await whenReady(side, 15_000);
      assert.match((await doctor(clusters.a)).said, /nothing blocks it/);
    });

  it('outlives a new key on either side: the other follows by itself', async () => {
    for (const [side, other] of [
      [clusters.a, clusters.b],
      [clusters.b, clusters.a],
    ] as const) {
      const { exitCode, stdout, stderr } = await side.stork(['pair', 'rotate'], { timeoutMs: 150_000 });
      console.log(`${stdout}${stderr}`);
      assert.equal(exitCode, 0);
      const [, fingerprint] = /New key on .: (SHA256:\S+)/.exec(stdout) ?? [];
      assert.notEqual(fingerprint, undefined);
      await eventually(`${other.context} follows`, async () =>
        (await pairOf(other)).status.peer.fingerprint === fingerprint ? true : undefined,
      );
      for (const both of [side, other]) await whenReady(both);
    }
  });

  it('is Ready again after an agent lost its lease, without a restart of its container', async () => {
    const { b } = clusters;
    const counts = '-o=jsonpath={.items[*].status.containerStatuses[*].restartCount}';
    const agents = ['pods', '-n', agentNamespace, '-l', 'app.kubernetes.io/name=stork-agent'];
    const restarts = () => b.kubectl(['get', ...agents, counts]);
    const before = await restarts();
    const stolen = { spec: { holderIdentity: 'somebody-else', leaseDurationSeconds: 3 } };
    const lease = ['lease', 'stork-agent', '-n', agentNamespace];
    await b.kubectl(['patch', ...lease, '--type=merge', '-p', JSON.stringify(stolen)]);
    await eventually('the agent leads again', async () => {
      const { spec } = await b.get<{ readonly spec: { readonly holderIdentity: string } }>(lease);
      return spec.holderIdentity === stolen.spec.holderIdentity ? undefined : true;
    });
    assert.match(
      await b.kubectl(['-n', agentNamespace, 'logs', 'deployment/stork-agent']),
      /leadership was lost, starting anew/,
    );
    for (const side of [clusters.a, b]) await whenReady(side);
    assert.equal(await restarts(), before);
  });

  it('paired anew, can be dialled from either side', async () => {
    for (const side of [clusters.a, clusters.b])
      await side.kubectl(['-n', agentNamespace, 'delete', 'clusterpairs.stork.libopenstorage.org', peerName(side)]);
    console.log(await pairBoth(clusters.a, clusters.b));
    for (const side of [clusters.a, clusters.b]) {
      assert.ok((await pairOf(side)).status.peer.endpoints?.length, `${side.context} knows no address of its peer`);
      assert.equal((await doctor(side)).exitCode, 0);
    }
  });

  it('is Ready again soon after the agent of the accepting side was killed', async () => {
    const pod = ['pods', '-l', 'app.kubernetes.io/name=stork-agent'];
    await clusters.b.kubectl(['-n', agentNamespace, 'delete', ...pod, '--grace-period=0', '--force', '--wait=false']);
    const killedMs = Date.now();
    await eventually('noticed', async () =>
      (await pairOf(clusters.a)).status.schedulerStatus === 'Ready' ? undefined : true,
    );
    await clusters.b.kubectl(['-n', agentNamespace, 'rollout', 'status', 'deployment/stork-agent', '--timeout=120s']);
    const upMs = Date.now();
    await whenReady(clusters.a);
    console.log(`agent up after ${upMs - killedMs} ms, pair Ready ${Date.now() - upMs} ms later`);
    await whenReady(clusters.b);
  });
});
