import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import type { RegisteredResource } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import type { TransformContext } from './transform-context.ts';
import { transformObject } from './transform-object.ts';

// Golden pairs: `node agent/resources/transform/transform-object.test.ts --update` rewrites the outputs; read the diff like code.
const folder = new URL('testdata/', import.meta.url);
const isUpdating = process.argv.includes('--update');

const registrations: readonly RegisteredResource[] = [
  {
    group: 'example.com',
    version: 'v1',
    kind: 'Database',
    keepStatus: true,
    suspendOptions: { path: 'spec.paused', type: 'bool', value: 'true' },
    customSuspendOptions: [{ path: 'spec.members', type: 'int', value: '0' }],
  },
];
const context: TransformContext = { pairId: 'pair-1', namespaces: ['shop'], serviceAddresses: 'Clear', registrations };

const read = (name: string): AnyObject => parse(readFileSync(new URL(name, folder), 'utf8'));

describe('what an object is as it leaves the source', () => {
  for (const input of readdirSync(folder).filter((name) => name.endsWith('.in.yaml'))) {
    const output = input.replace('.in.yaml', '.out.yaml');
    it(input.replace('.in.yaml', ''), () => {
      const out = transformObject(read(input), context);
      if (isUpdating) writeFileSync(new URL(output, folder), stringify(out, { sortMapEntries: true }));
      assert.deepEqual(out, read(output));
    });
  }

  it('keeps the addresses of a Service when asked to', () => {
    const kept = transformObject(read('service.in.yaml'), { ...context, serviceAddresses: 'Keep' });
    assert.deepEqual(kept.spec, read('service.in.yaml').spec);
  });

  it('does not change its argument', () => {
    for (const input of readdirSync(folder).filter((name) => name.endsWith('.in.yaml'))) {
      const object = read(input);
      transformObject(object, context);
      assert.deepEqual(object, read(input));
    }
  });
});
