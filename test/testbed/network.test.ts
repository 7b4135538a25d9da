import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderRules } from './network.ts';
import { planBed } from './plan.ts';

describe("the network's rules", () => {
  const rules = renderRules(planBed()).split('\n');
  const between = (from: string, to: string) =>
    rules.filter((rule) => rule.includes(`-i ${from}`) && rule.includes(`-o ${to}`) && rule.includes('ACCEPT'));

  it('let only the pair link and its replies pass from one cluster to the other', () => {
    assert.deepEqual(between('stork-br-a', 'stork-br-b'), [
      '-A STORK-BED-LINK -i stork-br-a -o stork-br-b -p tcp -d 10.250.2.11 --dport 30443 -j ACCEPT',
      '-A STORK-BED-LINK -i stork-br-a -o stork-br-b -p tcp -d 10.250.2.12 --dport 30443 -j ACCEPT',
      '-A STORK-BED-LINK -i stork-br-a -o stork-br-b -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
    ]);
    assert.equal(between('stork-br-b', 'stork-br-a').length, 3);
  });

  it('drop what is left, after the accepts', () => {
    const forward = rules.filter((rule) => rule.startsWith('-A STORK-BED-FWD'));
    const firstDrop = forward.findIndex((rule) => rule.endsWith('-j DROP'));
    assert.ok(forward.slice(firstDrop).every((rule) => rule.endsWith('-j DROP')));
    assert.equal(forward.length - firstDrop, 4);
  });

  it('let a cluster reach only its own API and DNS server on the host', () => {
    const input = rules.filter((rule) => rule.startsWith('-A STORK-BED-IN -i stork-br-a'));
    assert.ok(input.every((rule) => !rule.includes('10.250.2.')));
    assert.equal(input.at(-1), '-A STORK-BED-IN -i stork-br-a -j DROP');
  });

  it('touch no chain of the host but for one jump each', () => {
    const foreign = rules.filter((rule) => /^-[AI] (FORWARD|INPUT|OUTPUT)/.test(rule));
    assert.deepEqual(foreign, ['-I FORWARD 1 -j STORK-BED-FWD', '-I INPUT 1 -j STORK-BED-IN']);
  });
});
