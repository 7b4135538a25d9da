import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planKubeletConfig, renderCniConfig } from './node-configs.ts';
import { listNodes, planBed } from './plan.ts';

describe("a node's configuration", () => {
  const { a } = planBed();
  const [node] = listNodes(planBed());
  assert.ok(node !== undefined);

  it('says on cgroup v1 that v1 is meant, and on v2 nothing', () => {
    assert.ok('failCgroupV1' in planKubeletConfig(a, 'v1'));
    assert.ok(!('failCgroupV1' in planKubeletConfig(a, 'v2')));
  });

  it("gives pods addresses of the node's own range, routed one by one", () => {
    const { plugins } = JSON.parse(renderCniConfig(node));
    assert.equal(plugins[0].type, 'ptp');
    assert.deepEqual(plugins[0].ipam.ranges, [[{ subnet: '10.244.1.0/24' }]]);
  });
});
