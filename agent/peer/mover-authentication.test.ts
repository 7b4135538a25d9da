import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { createMoverAuthentication } from './mover-authentication.ts';

const bound = {
  'authentication.kubernetes.io/pod-name': ['mover-1'],
  'authentication.kubernetes.io/pod-uid': ['uid-1'],
};

function aReview(
  over: { readonly audiences?: string[]; readonly extra?: Record<string, string[]>; readonly user?: string } = {},
) {
  const user = { username: over.user ?? 'system:serviceaccount:shop:default', extra: over.extra ?? bound };
  return { authenticated: true, audiences: over.audiences ?? ['stork-mover'], user };
}

function authenticationWith(reviews: Readonly<Record<string, ReturnType<typeof aReview>>>) {
  const clock = manualClock();
  const asked: string[] = [];
  const server = fakeApiServer({
    clock,
    onTokenReview({ token, audiences }) {
      asked.push(`${token} ${audiences.join()}`);
      return reviews[token] ?? { authenticated: false };
    },
  });
  const authentication = createMoverAuthentication(server.client(), clock);
  return {
    clock,
    asked,
    ask: (header: string | undefined) => authentication.podOf(header, new AbortController().signal),
  };
}

describe('who a mover is', () => {
  it('is the pod its token is bound to, asked for our audience only', async () => {
    const { ask, asked } = authenticationWith({ good: aReview() });
    assert.deepEqual(await ask('Bearer good'), { namespace: 'shop', name: 'mover-1', uid: 'uid-1' });
    assert.deepEqual(asked, ['good stork-mover']);
  });

  it('is asked anew after a minute', async () => {
    const { ask, asked, clock } = authenticationWith({ good: aReview() });
    await ask('Bearer good');
    await clock.advance(59_000);
    await ask('Bearer good');
    assert.equal(asked.length, 1);
    await clock.advance(2_000);
    await ask('Bearer good');
    assert.equal(asked.length, 2);
  });

  const refused: Readonly<Record<string, string | undefined>> = {
    'no header': undefined,
    'another scheme': 'Basic good',
    'a token that is none': 'Bearer a b',
    'an endless token': `Bearer ${'x'.repeat(20_000)}`,
    'an unknown token': 'Bearer unknown',
    'a token for the API server': 'Bearer elsewhere',
    'a token without a pod': 'Bearer unbound',
    'a person': 'Bearer person',
  };
  for (const [what, header] of Object.entries(refused)) {
    it(`is nobody: ${what}`, async () => {
      const { ask } = authenticationWith({
        elsewhere: aReview({ audiences: ['https://kubernetes.default.svc'] }),
        unbound: aReview({ extra: {} }),
        person: aReview({ user: 'alice' }),
      });
      await assert.rejects(ask(header), { code: 'InvalidMoverToken' });
    });
  }
});
