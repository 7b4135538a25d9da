import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { machineToDot, machineToMarkdown } from './machine-docs.ts';
import { cakeMachine } from './testing/cake.ts';

describe('a machine’s page', () => {
  it('draws every edge and describes every stage', () => {
    const page = machineToMarkdown(cakeMachine());
    for (const line of [
      '  [*] --> Initial',
      '  Initial --> Baking',
      '  Baking --> Cleanup: fail',
      '  Cleanup --> [*]: finish',
      '| Baking | Bakes a layer at a time. | Cleanup | Cleanup | 600 s |',
    ])
      assert.ok(page.split('\n').includes(line), line);
  });

  it('draws the same for Graphviz', () => {
    assert.ok(machineToDot(cakeMachine()).includes('"Initial" -> "Cleanup" [style=dashed,label="fail"];'));
  });
});
