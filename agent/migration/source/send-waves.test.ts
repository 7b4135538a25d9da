import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stashObject } from '../../resources/stash/stash-object.ts';
import { stashFeature } from '../messages.ts';
import { withoutStashes } from './send-waves.ts';

const queue = { apiVersion: 'example.com/v1', kind: 'Queue', metadata: { namespace: 'db', name: 'q' }, spec: {} };
const settings = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'db', name: 'settings' } };
const waves = [[settings, stashObject(queue)]];

describe('what is stashed', () => {
  it('goes to a destination that knows what to do with it', () => {
    const sent = withoutStashes(waves, { cluster: 'b', features: new Set([stashFeature]) });
    assert.deepEqual(sent, { waves, refused: [] });
  });

  it('stays, named by its own name with what to do, when the agent there is older; the rest goes', () => {
    const { waves: sent, refused } = withoutStashes(waves, { cluster: 'b', features: new Set() });
    assert.deepEqual(sent, [[settings]]);
    const [{ reason, ...one } = {}] = refused;
    assert.deepEqual(one, {
      ...{ group: 'example.com', version: 'v1', kind: 'Queue', namespace: 'db', name: 'q', status: 'Failed' },
    });
    assert.match(reason ?? '', /the agent of b is too old.*kubectl stork install/);
  });
});
