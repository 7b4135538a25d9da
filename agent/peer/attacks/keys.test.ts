import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { createIdentity, type Identity, newPrivateKey, succeed } from '../identity.ts';
import { dialChannel } from '../link/channel.ts';
import { bundleLines, dialLine } from '../link/dial.ts';
import { connectAgents, eventually, pairConfigs, startAgent } from '../two-agents.ts';
import { pinOf, writeCertificate } from '../x509.ts';
import { clock, logged, self, startImpostor } from './attacker.ts';

const options = { randomBytes, now: clock.now() };

/** A key that says it succeeds `genuine` without that key's signature: the certificate of the genuine one only lies beside. */
function pretender(genuine: Identity): Identity {
  const key = newPrivateKey();
  const own = createPrivateKey(key);
  const issuer = { name: 'stork-agent', privateKey: own, publicKey: createPublicKey(genuine.key) };
  const certificate = writeCertificate({
    subject: 'stork-agent',
    serial: randomBytes(16),
    notBefore: clock.now(),
    notAfter: 'Never',
    publicKey: createPublicKey(own),
    use: 'Identity',
    issuer,
  });
  const pin = pinOf(createPublicKey(own));
  return { key, certificate: certificate + genuine.certificate, pin, fingerprint: `SHA256:${pin}` };
}

describe('attack: a key that claims to replace a trusted one', () => {
  it('is refused when the trusted key has not signed it, dialled or dialling', async () => {
    await using left = await startAgent('left');
    await using right = await startAgent('right');
    const { onLeft, onRight } = pairConfigs(left, right);
    left.service.declare(onLeft);
    const evil = pretender(left.identity);
    using impostor = await startImpostor({ key: evil.key, cert: evil.certificate });
    const peer = right.service.declare({ ...onRight, endpoints: [impostor.endpoint] });
    await eventually(() => peer.link.code === 'WrongPin', 'refused');
    assert.equal(impostor.received().length, 0);

    await using thief = await startAgent('thief', [], clock, pretender(right.identity));
    const intruder = thief.service.declare({ ...onRight, endpoints: [left.endpoint] });
    await eventually(() => intruder.link.state === 'Revoked', 'turned away');
    assert.ok(logged(left, 'UnknownPair').length > 0);
    assert.deepEqual([left.successions, right.successions], [[], []]);
  });

  it('is followed when it has, and then the former key, should it be stolen, opens nothing', async () => {
    await using left = await startAgent('left');
    await using right = await startAgent('right');
    const { toLeft } = await connectAgents(left, right);
    const { onLeft } = pairConfigs(left, right);
    const former = right.identity;
    const next = succeed(former, options);
    right.service.rekey(next);
    await eventually(() => left.successions.length > 0, 'followed');
    assert.deepEqual(left.successions, [`uid-left ${former.pin} ${next.pin}`]);
    left.service.declare({ ...onLeft, peerPin: next.pin });
    await eventually(() => toLeft.state.ready === 'Yes', 'connected under the new key');

    await using thief = await startAgent('thief', [], clock, former);
    const intruder = thief.service.declare({ ...pairConfigs(left, right).onRight, uid: 'uid-thief' });
    await eventually(() => intruder.link.state === 'Revoked', 'turned away');
    assert.equal(toLeft.state.ready, 'Yes');
  });

  it('finds no pair any more when it was revoked while the successor was being written down', async () => {
    await using left = await startAgent('left');
    await using right = await startAgent('right');
    const { onLeft } = pairConfigs(left, right);
    left.service.declare(onLeft);
    const { promise, resolve } = Promise.withResolvers<void>();
    left.writing.done = promise;
    const [line] = bundleLines;
    const { pairId } = onLeft;
    const dial = { endpoint: left.endpoint, line, bundle: 'one-bundle', pairId, peerPin: left.identity.pin };
    const identity = succeed(right.identity, options);
    const { signal } = new AbortController();
    const { socket } = await dialLine({ ...dial, identity, self, clock, signal });
    socket.resume();
    await eventually(() => left.successions.length > 0, 'being written down');
    await left.service.revoke('uid-left');
    resolve();
    await eventually(() => socket.destroyed, 'cut off');
  });

  it('is followed through at most eight replacements', async () => {
    const first = createIdentity(options);
    const lineOf = (replacements: number) => {
      let identity = first;
      for (let at = 0; at < replacements; at++) identity = succeed(identity, options);
      return identity;
    };
    for (const [replacements, expected] of [
      [8, 'Known'],
      [9, 'WrongPin'],
    ] as const) {
      await using agent = await startAgent('a', [], clock, lineOf(replacements));
      const dialled = await dialChannel({
        endpoint: agent.endpoint,
        purpose: 'join',
        identity: createIdentity(options),
        peerPin: first.pin,
        clock,
      }).then(
        ({ socket }) => {
          socket.destroy();
          return 'Known';
        },
        (error: { code?: string }) => error.code,
      );
      assert.equal(dialled, expected);
    }
  });
});
