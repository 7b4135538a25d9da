import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { clock, startImpostor, stranger } from '../attacks/attacker.ts';
import { startAgent } from '../two-agents.ts';
import { probeEndpoint } from './probe.ts';

describe('probing an address', () => {
  it('passes where the right key answers, without a word to the other end', async () => {
    await using agent = await startAgent('a');
    const options = { endpoint: agent.endpoint, peerPin: agent.identity.pin, identity: stranger, clock };
    const { hop, result } = await probeEndpoint(options);
    assert.deepEqual([hop, result], ['Key', 'Passed']);
    assert.equal(agent.service.declared().length, 0);
  });

  it('names the hop that fails and what to do', async () => {
    await using agent = await startAgent('a');
    using impostor = await startImpostor();
    const plain = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const address = plain.address();
    const plainPort = typeof address === 'object' && address !== null ? address.port : 0;
    const cases = {
      'no-such-host.invalid:443': ['Name', 'NameNotResolved'],
      '127.0.0.1:1': ['Connect', 'ConnectionRefused'],
      [`127.0.0.1:${plainPort}`]: ['Handshake', 'HandshakeFailed'],
      [impostor.endpoint]: ['Key', 'WrongPin'],
    };
    for (const [endpoint, expected] of Object.entries(cases)) {
      const peerPin = agent.identity.pin;
      const { hop, code, hint } = await probeEndpoint({ endpoint, peerPin, identity: agent.identity, clock });
      assert.deepEqual([hop, code], expected, endpoint);
      assert.ok(hint !== undefined && hint.length > 0);
    }
    plain.close();
  });
});
