import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeClient } from '../client/client.ts';
import { core } from '../client/core.ts';
import { type Clock, type ManualClock, manualClock } from '../clock.ts';
import { StorkError } from '../errors.ts';
import { fakeApiServer } from '../fake/fake-api-server.ts';
import { type FaultyClient, faulty } from '../fake/faulty.ts';
import { silentLog } from '../log.ts';
import { runAsLeader } from './lease.ts';

const key = { namespace: 'default', name: 'stork-agent' };

/** Two candidates over one API server; tells who leads, and fails as soon as two do. */
function anElection() {
  const clock = manualClock();
  const server = fakeApiServer({ clock });
  const leading = new Set<string>();
  const history: string[] = [];
  const join = (
    identity: string,
    own: Clock = clock,
    through: (client: KubeClient) => KubeClient = (client) => client,
  ) => {
    const client = faulty(server.client());
    const stop = new AbortController();
    const lead = async (signal: AbortSignal) => {
      assert.equal(leading.size, 0, `${identity} leads beside ${[...leading]}`);
      leading.add(identity);
      history.push(`${identity} leads`);
      signal.addEventListener('abort', () => leading.delete(identity), { once: true });
      await own.sleep(1e9, signal);
    };
    const options = { client: through(client), clock: own, random: () => 0, log: silentLog(), ...key, identity };
    const onLost = () => void history.push(`${identity} lost`);
    const ended = runAsLeader({ ...options, onLost }, lead, stop.signal);
    ended.then((how) => history.push(`${identity} ${how}`));
    return { client, stop: () => stop.abort(), ended };
  };
  return { clock, server, history, leading, join };
}

/** The same time for timers, but a wall clock that is off. */
function skewed(clock: ManualClock, ms: number): Clock {
  return { ...clock, now: () => new Date(clock.now().getTime() + ms) };
}

function cutOff(client: FaultyClient): void {
  client.dieAtWrite(1, 'Before');
}

describe('leader election', () => {
  it('has one leader, who keeps leading', async () => {
    const { clock, history, join } = anElection();
    const a = join('a');
    await clock.advance(0);
    const b = join('b');
    await clock.advance(600_000);
    assert.deepEqual(history, ['a leads']);
    a.stop();
    await clock.advance(0);
    b.stop();
    await clock.advance(0);
  });

  it('hands over at once when the leader stops in order', async () => {
    const { clock, history, join } = anElection();
    const a = join('a');
    await clock.advance(0);
    const b = join('b');
    await clock.advance(5000);
    a.stop();
    assert.equal(await a.ended, 'Released');
    await clock.advance(2500);
    assert.deepEqual(history, ['a leads', 'a Released', 'b leads']);
    b.stop();
    await clock.advance(0);
  });

  it('stops leading before another may start when the leader is cut off', async () => {
    const { clock, history, join } = anElection();
    const a = join('a');
    await clock.advance(0);
    const b = join('b');
    await clock.advance(60_000);
    cutOff(a.client);
    await clock.advance(10_000);
    assert.deepEqual(history, ['a leads', 'a lost', 'a Lost']);
    await clock.advance(9_000);
    assert.equal(history.at(-1), 'b leads');
    b.stop();
    await clock.advance(0);
  });

  it('survives a renewal that fails', async () => {
    const { clock, history, join } = anElection();
    const a = join('a');
    await clock.advance(0);
    a.client.next('find', new StorkError({ code: 'Slow', message: 'slow' }));
    a.client.next('replace', new StorkError({ code: 'Slow', message: 'slow' }));
    await clock.advance(60_000);
    assert.deepEqual(history, ['a leads']);
    a.stop();
    await clock.advance(0);
  });

  it('stops in time also when renewals hang without an answer', async () => {
    const { clock, history, join } = anElection();
    let network: 'Up' | 'Hangs' = 'Up';
    join('a', clock, (client) => ({
      ...client,
      find: async (resource, name, options) => {
        if (network === 'Hangs') await clock.sleep(1e9, options?.signal);
        return await client.find(resource, name, options);
      },
    }));
    await clock.advance(60_000);
    network = 'Hangs';
    await clock.advance(10_000);
    assert.deepEqual(history, ['a leads', 'a lost', 'a Lost']);
  });

  for (const skewMs of [-3_600_000, 3_600_000])
    it(`is not fooled by a wall clock that is off by ${skewMs / 60_000} minutes`, async () => {
      const { clock, history, join } = anElection();
      const a = join('a', skewed(clock, skewMs));
      await clock.advance(0);
      const b = join('b');
      await clock.advance(120_000);
      assert.deepEqual(history, ['a leads']);
      cutOff(a.client);
      await clock.advance(20_000);
      assert.deepEqual(history, ['a leads', 'a lost', 'a Lost', 'b leads']);
      b.stop();
      await clock.advance(0);
    });

  it('takes over a lease whose holder died long ago only after having watched it for its duration', async () => {
    const { clock, server, history, join } = anElection();
    server.seed(core.leases, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: key,
      spec: { holderIdentity: 'dead', leaseDurationSeconds: 15, renewTime: '2020-01-01T00:00:00.000000Z' },
    });
    const a = join('a');
    await clock.advance(14_000);
    assert.deepEqual(history, []);
    await clock.advance(3_000);
    assert.deepEqual(history, ['a leads']);
    a.stop();
    await clock.advance(0);
  });

  it('steps down at once when it sees somebody else in the lease', async () => {
    const { clock, server, history, join } = anElection();
    const a = join('a');
    await clock.advance(0);
    const body = { spec: { holderIdentity: 'usurper' } };
    await server.client().patch(core.leases, key, { type: 'merge', body });
    await clock.advance(2000);
    assert.deepEqual(history, ['a leads', 'a lost', 'a Lost']);
    assert.equal((await server.client().get(core.leases, key)).spec?.holderIdentity, 'usurper');
    await a.ended;
  });

  it('passes on what lead throws of its own, after giving the lease up', async () => {
    const clock = manualClock();
    const client = fakeApiServer({ clock }).client();
    const options = { client, clock, random: () => 0, log: silentLog(), ...key, identity: 'a' };
    const failing = async () => {
      throw new Error('lead failed');
    };
    await assert.rejects(runAsLeader(options, failing, new AbortController().signal), /lead failed/);
    assert.equal((await client.get(core.leases, key)).spec?.holderIdentity, '');
  });
});
