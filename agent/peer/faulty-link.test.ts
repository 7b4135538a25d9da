import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { object } from '../../crds/schema/index.ts';
import { manualClock } from '../../kube/clock.ts';
import { pingLimits } from './link/bundle.ts';
import { eventually, pairConfigs, startAgent } from './two-agents.ts';

/** A wire that can be cut (connections die), or go silent (nothing passes, nobody is told). */
async function startWire(target: string) {
  const sockets = new Set<Socket>();
  const port = Number(target.split(':')[1]);
  let silent = false;
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => to.destroy());
      from.on('data', (bytes) => (silent ? undefined : to.write(bytes)));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    endpoint: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    silence(is: 'On' | 'Off') {
      silent = is === 'On';
    },
    cut() {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    [Symbol.dispose]() {
      this.cut();
      server.close();
    },
  };
}

describe('a link over a bad wire', () => {
  it('is dialled again soon when its connections were cut', async () => {
    await using left = await startAgent('left');
    await using right = await startAgent('right');
    using wire = await startWire(left.endpoint);
    const { onLeft, onRight } = pairConfigs(left, right);
    const toRight = left.service.declare(onLeft);
    const toLeft = right.service.declare({ ...onRight, endpoints: [wire.endpoint] });
    for (let round = 0; round < 3; round++) {
      await eventually(() => toRight.state.ready === 'Yes' && toLeft.state.ready === 'Yes', 'connected');
      const asked = toLeft.request({ method: 'GET', path: '/v1/hello', answer: object({}) });
      wire.cut();
      await asked.catch((error: { code?: string }) => assert.equal(error.code, 'PeerConnectionLost'));
      await eventually(() => toLeft.state.ready === 'No', 'noticed');
    }
  });

  it('is given up when it goes silent, by both sides, and comes back with the wire', async () => {
    const clock = manualClock();
    await using left = await startAgent('left', [], clock);
    await using right = await startAgent('right', [], clock);
    using wire = await startWire(left.endpoint);
    const { onLeft, onRight } = pairConfigs(left, right);
    const toRight = left.service.declare(onLeft);
    const toLeft = right.service.declare({ ...onRight, endpoints: [wire.endpoint] });
    const both = (ready: 'Yes' | 'No') => toRight.state.ready === ready && toLeft.state.ready === ready;
    await eventually(() => both('Yes') && toLeft.link.roundTripMs !== undefined, 'connected');
    await eventually(() => toRight.link.clockSkewMs !== undefined && toLeft.link.clockSkewMs !== undefined, 'greeted');

    wire.silence('On');
    await clock.advance(pingLimits.intervalMs);
    assert.equal(both('Yes'), true, 'nobody can know yet');
    await clock.advance(pingLimits.controlDeadlineMs);
    await eventually(() => both('No'), 'both noticed');
    wire.silence('Off');
    wire.cut();
    // Dialling rests between attempts; the clock moves until it is time.
    for (let step = 0; step < 200 && !both('Yes'); step++) {
      await clock.advance(500);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(both('Yes'), true);
  });

  it('tries its endpoints in turn', async () => {
    await using left = await startAgent('left');
    await using right = await startAgent('right');
    const { onLeft, onRight } = pairConfigs(left, right);
    left.service.declare(onLeft);
    const toLeft = right.service.declare({ ...onRight, endpoints: ['127.0.0.1:1', left.endpoint] });
    await eventually(() => toLeft.state.ready === 'Yes', 'the second one works');
    assert.ok(right.log.lines.some(({ fields }) => fields.code === 'PeerUnreachable'));
  });
});
