import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requesterAnnotation } from '../../crds/agent-names.ts';
import { decideRequester, type RequesterFacts, renderRequester } from './requester.ts';

const ann = { username: 'ann', uid: '7', groups: ['a', 'b'], extra: { scopes: ['x'], account: ['y'] } };

function facts(
  stamp: string | undefined,
  times: { readonly created?: string; readonly guarded?: string | undefined } = {},
): RequesterFacts {
  const { created = '2026-11-21T10:00:00Z' } = times;
  const guarded = 'guarded' in times ? times.guarded : '2026-11-01T00:00:00Z';
  return {
    what: 'migration shop/m1',
    metadata: {
      ...{ namespace: 'shop', name: 'm1' },
      creationTimestamp: created,
      annotations: stamp === undefined ? {} : { [requesterAnnotation]: stamp },
    },
    guardedSince: guarded === undefined ? undefined : new Date(guarded),
  };
}

describe('who asked for an operation', () => {
  it('is read back as it was written', () => {
    const decision = decideRequester(facts(renderRequester(ann)));
    assert.deepEqual(decision, { known: 'Yes', requester: ann });
  });

  it('renders to one text, whatever the order of extra', () =>
    assert.equal(
      renderRequester({ ...ann, extra: { account: ['y'], scopes: ['x'] } }),
      renderRequester({ ...ann, extra: { scopes: ['x'], account: ['y'] } }),
    ));

  const written = renderRequester(ann);
  const refused: readonly (readonly [name: string, facts: RequesterFacts, message: RegExp, hint: RegExp])[] = [
    [
      'without a webhook',
      facts(written, { guarded: undefined }),
      /webhook of stork is not installed/,
      /kubectl stork install/,
    ],
    [
      'older than the webhook',
      facts(written, { guarded: '2026-11-21T11:00:00Z' }),
      /migration shop\/m1.*is older/,
      /kubectl stork repeat migration m1 -n shop/,
    ],
    [
      'as old as the webhook',
      facts(written, { guarded: '2026-11-21T09:59:58Z' }),
      /is older/,
      /kubectl stork repeat migration m1 -n shop/,
    ],
    ['without a mark', facts(undefined), /does not carry the annotation/, /kubectl stork repeat migration m1 -n shop/],
    ['with a mark that is no JSON', facts('admin'), /does not carry/, /kubectl stork repeat migration m1 -n shop/],
    [
      'with a mark that names nobody',
      facts('{"groups":["system:masters"]}'),
      /does not carry/,
      /kubectl stork repeat migration m1 -n shop/,
    ],
    [
      'with a mark that is too long',
      facts(renderRequester({ username: 'x'.repeat(65_536) })),
      /does not carry/,
      /kubectl stork repeat migration m1 -n shop/,
    ],
  ];
  for (const [name, given, message, hint] of refused)
    it(`is nobody ${name}`, () => {
      const decision = decideRequester(given);
      assert.ok(decision.known === 'No');
      assert.equal(decision.code, 'RequesterUnknown');
      assert.match(decision.message, message);
      assert.match(decision.hint, hint);
    });
});
