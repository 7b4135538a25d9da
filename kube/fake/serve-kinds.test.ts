/** Our own kinds on the fake: their schemas and the rules that the real server evaluates as CEL. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from '../../crds/schema/index.ts';
import { allKinds, rules } from '../../crds/v1alpha1/index.ts';
import { refusalOf } from '../client/conformance/conformance-world.ts';
import { manualClock } from '../clock.ts';
import { fakeApiServer } from './fake-api-server.ts';

describe('kinds of ours on the fake', () => {
  it('are refused by their rules, and served when they keep them', async () => {
    const server = fakeApiServer({ clock: manualClock() });
    server.serve(...allKinds);
    const client = server.client();
    const create = (value: string) => {
      const actions = [{ type: 'command', background: true, value } as const];
      const metadata = { name: 'lock', namespace: 'default' };
      const object = { apiVersion: rules.apiVersion, kind: rules.kind, metadata, rules: [{ actions }] };
      return client.create(rules, applyDefaults(rules.schema, object));
    };
    const refusal = await refusalOf(create('sleep 1'));
    assert.deepEqual([refusal.code, refusal.status.details?.causes?.[0]?.field], ['Invalid', 'rules[0].actions[0]']);
    assert.match(refusal.message, /must contain \$\{WAIT_CMD\}/);
    const made = await create(`lock; \${WAIT_CMD}`);
    assert.equal(made.rules[0]?.actions[0]?.runInSinglePod, false);
  });
});
