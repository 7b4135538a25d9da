import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { issueServingTls } from '../serving-tls.ts';
import { eventually, pairConfigs, startAgent } from '../two-agents.ts';
import { writeCertificate } from '../x509.ts';
import { clock, closed, credentials, logged, rawConnection, startImpostor } from './attacker.ts';

describe('attack: connections that are no channel of ours', () => {
  const attempts: Readonly<Record<string, ConnectionOptions>> = {
    'a downgrade to TLS 1.2': { ...credentials, maxVersion: 'TLSv1.2', ALPNProtocols: ['stork-join/1'] },
    'no client certificate': { ALPNProtocols: ['stork-join/1'] },
    'no protocol named': credentials,
    'another protocol named': { ...credentials, ALPNProtocols: ['h2'] },
  };
  for (const [what, options] of Object.entries(attempts)) {
    it(`are refused and logged: ${what}`, async () => {
      await using agent = await startAgent('a');
      await closed(rawConnection(agent, options));
      await eventually(() => logged(agent, 'UnsupportedProtocol').length > 0, 'logged');
    });
  }

  it('a server that only speaks TLS 1.2 is not spoken to', async () => {
    using impostor = await startImpostor({ ...credentials, maxVersion: 'TLSv1.2' });
    await using genuine = await startAgent('genuine');
    await using victim = await startAgent('victim');
    const { invitation } = genuine.mint();
    await assert.rejects(victim.service.join({ ...invitation, endpoints: [impostor.endpoint] }), {
      code: 'PeerUnreachable',
    });
    assert.equal(impostor.received().length, 0);
  });

  it('are dropped, oldest first, when too many say nothing', async () => {
    await using agent = await startAgent('a');
    const silent = Array.from({ length: 70 }, () =>
      rawConnection(agent, { ...credentials, ALPNProtocols: ['stork-join/1'] }),
    );
    await Promise.race(silent.map(closed));
    const { invitation } = agent.mint();
    await using joiner = await startAgent('b');
    assert.equal((await joiner.service.join(invitation)).acceptor.cluster, 'a');
    for (const socket of silent) socket.destroy();
  });
});

describe('attack: somebody in the middle', () => {
  it('is recognised by its key, whatever certificate it shows, before a byte is sent', async () => {
    using impostor = await startImpostor();
    await using genuine = await startAgent('genuine');
    await using victim = await startAgent('victim');
    const { invitation } = genuine.mint();
    await assert.rejects(victim.service.join({ ...invitation, endpoints: [impostor.endpoint] }), {
      code: 'WrongPin',
      retryable: false,
    });
    const peer = victim.service.declare({
      ...pairConfigs(genuine, victim).onRight,
      endpoints: [impostor.endpoint],
    });
    await eventually(() => peer.link.state === 'Refused' && peer.link.code === 'WrongPin', 'says so');
    await eventually(() => logged(victim, 'WrongPin').length > 0, 'logged');
    assert.equal(impostor.received().length, 0);

    const found = await victim.service.join({ ...invitation, endpoints: [impostor.endpoint, genuine.endpoint] });
    assert.equal(found.endpoint, genuine.endpoint, 'a good endpoint behind a bad one is still found');
  });

  it('gains nothing from a certificate that an authority vouches for, with the right name and dates', async () => {
    const made = issueServingTls({
      authorityName: 'ca',
      dnsNames: ['localhost'],
      authority: undefined,
      now: clock.now(),
      randomBytes,
    });
    using impostor = await startImpostor({ key: made.key, cert: made.certificate });
    const port = Number(impostor.endpoint.split(':')[1]);
    const strict = {
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      ca: made.authority,
      ALPNProtocols: ['stork-join/1'],
    };
    const browser = connect(strict);
    await once(browser, 'secureConnect');
    assert.equal(browser.authorized, true, 'anybody who trusts that authority is satisfied');
    browser.destroy();

    await using genuine = await startAgent('genuine');
    await using victim = await startAgent('victim');
    const { invitation } = genuine.mint();
    const asked = { ...invitation, endpoints: [`localhost:${port}`] };
    await assert.rejects(victim.service.join(asked), { code: 'WrongPin' });
    assert.equal(impostor.received().length, 0);
    assert.equal(genuine.invitations.get(invitation.pairId)?.joinerPin, undefined);
  });

  it("gains nothing from the genuine agent's name, dates and serial number under a key of its own", async () => {
    await using genuine = await startAgent('genuine');
    await using victim = await startAgent('victim');
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const issuer = { name: 'stork-agent', privateKey, publicKey };
    const copied = { subject: 'stork-agent', serial: randomBytes(16), notBefore: clock.now(), issuer } as const;
    const cert = writeCertificate({ ...copied, notAfter: 'Never', publicKey, use: 'Identity' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    using impostor = await startImpostor({ key, cert });
    const { invitation } = genuine.mint();
    await assert.rejects(victim.service.join({ ...invitation, endpoints: [impostor.endpoint] }), { code: 'WrongPin' });
  });
});
