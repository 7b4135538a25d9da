import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { faulty } from '../../kube/fake/faulty.ts';
import { silentLog } from '../../kube/log.ts';
import { keepServingTls } from './keep-serving-tls.ts';
import { ensureMoverTls, moverServed } from './mover-tls.ts';

const namespace = 'stork-system';
const key = { namespace, name: 'stork-mover-tls' };
const dayMs = 24 * 3_600_000;

async function keeping() {
  const clock = manualClock();
  const server = fakeApiServer({ clock });
  server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const calls: string[] = [];
  const client = faulty(server.client(), (verb, call) => {
    calls.push(verb);
    return call();
  });
  const secrets = { client, namespace, randomBytes };
  const first = await ensureMoverTls({ ...secrets, now: clock.now() });
  const renewed: string[] = [];
  const stop = new AbortController();
  const running = keepServingTls(
    {
      ...{ ...secrets, clock, random: () => 0.5, log: silentLog(), served: moverServed(namespace), first },
      renew: ({ certificate }) => void renewed.push(certificate),
    },
    stop.signal,
  );
  await clock.advance(1000);
  const end = async () => {
    stop.abort();
    await running;
  };
  return { clock, calls, admin: server.client(), first, renewed, end };
}

describe('looking after certificates', () => {
  it('asks the API server nothing while nothing happens', async () => {
    const { clock, calls, end } = await keeping();
    const before = calls.length;
    await clock.advance(3_600_000);
    assert.deepEqual(calls.slice(before), []);
    await end();
  });

  it('makes and serves new ones as soon as somebody deletes them, and those that a replica made', async () => {
    const { clock, admin, first, renewed, end } = await keeping();
    await admin.delete(core.secrets, key);
    await clock.advance(1000);
    assert.equal(renewed.length, 1);
    assert.notEqual(renewed[0], first.certificate);
    await admin.delete(core.secrets, key);
    const other = await ensureMoverTls({ client: admin, namespace, randomBytes, now: clock.now() });
    await clock.advance(1000);
    assert.equal(renewed.at(-1), other.certificate);
    await end();
  });

  it('renews them in time', async () => {
    const { clock, first, renewed, end } = await keeping();
    const leftMs = first.renewAfter.getTime() - clock.now().getTime();
    await clock.advance(leftMs - dayMs);
    assert.deepEqual(renewed, []);
    await clock.advance(dayMs + 61_000);
    assert.equal(renewed.length, 1);
    await end();
  });
});
