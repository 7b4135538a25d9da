import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { object } from '../../crds/schema/index.ts';
import { systemClock } from '../../kube/clock.ts';
import type { Peer } from './peer.ts';
import { eventually, pairConfigs, startAgent, type TestAgent } from './two-agents.ts';

const unreachable = '127.0.0.1:1';

async function works(...peers: readonly Peer[]): Promise<void> {
  await eventually(() => peers.every(({ state }) => state.ready === 'Yes'), 'both sides connected');
  for (const peer of peers) await peer.request({ method: 'GET', path: '/v1/hello', answer: object({}) });
}

function declareBoth(
  left: TestAgent,
  right: TestAgent,
  endpoints: { readonly onLeft: string; readonly onRight: string },
) {
  const { onLeft, onRight } = pairConfigs(left, right);
  const toRight = left.service.declare({ ...onLeft, endpoints: [endpoints.onLeft] });
  const toLeft = right.service.declare({ ...onRight, endpoints: [endpoints.onRight] });
  return { toRight, toLeft };
}

describe('a pair whose sides both know an address', () => {
  it('is connected by whichever side can dial', async () => {
    for (const dials of ['left', 'right'] as const) {
      await using left = await startAgent('left');
      await using right = await startAgent('right');
      const onLeft = dials === 'left' ? right.endpoint : unreachable;
      const onRight = dials === 'right' ? left.endpoint : unreachable;
      const { toRight, toLeft } = declareBoth(left, right, { onLeft, onRight });
      await works(toRight, toLeft);
      assert.equal([toRight, toLeft].filter(({ link }) => link.code === 'Connected').length, 2);
    }
  });

  it('settles on one set of connections when both dial at the same instant, and keeps it', async () => {
    for (let round = 0; round < 15; round++) {
      await using left = await startAgent('left');
      await using right = await startAgent('right');
      const { toRight, toLeft } = declareBoth(left, right, { onLeft: right.endpoint, onRight: left.endpoint });
      await works(toRight, toLeft);
      await systemClock().sleep(30);
      await works(toRight, toLeft);
      const connects = left.log.lines.filter(({ message }) => message === 'peer connected').length;
      assert.ok(connects <= 3, `connected ${connects} times in round ${round}`);
    }
  });

  it('is connected again when either agent comes back', async () => {
    for (const dies of ['left', 'right'] as const) {
      await using left = await startAgent('left');
      await using right = await startAgent('right');
      const { toRight, toLeft } = declareBoth(left, right, { onLeft: right.endpoint, onRight: left.endpoint });
      await works(toRight, toLeft);
      const [died, other] = dies === 'left' ? [left, toLeft] : [right, toRight];
      const uid = dies === 'left' ? 'uid-left' : 'uid-right';
      await died.service.remove(uid);
      await eventually(() => other.state.ready === 'No', 'noticed');
      await systemClock().sleep(500);
      const { onLeft, onRight } = pairConfigs(left, right);
      const back = died.service.declare(
        dies === 'left' ? { ...onLeft, endpoints: [right.endpoint] } : { ...onRight, endpoints: [left.endpoint] },
      );
      await works(back, other);
    }
  });
});
