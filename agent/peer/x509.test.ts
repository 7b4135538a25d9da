import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { createIdentity, newPrivateKey } from './identity.ts';
import { issueServingTls } from './serving-tls.ts';
import { pinOf, writeCertificate } from './x509.ts';

const now = new Date('2026-11-21T00:00:00Z');

describe('x509', () => {
  it('writes a self-signed identity that OpenSSL reads and verifies', () => {
    const identity = createIdentity({ randomBytes, now });
    const certificate = new X509Certificate(identity.certificate);
    assert.equal(certificate.subject, 'CN=stork-agent');
    assert.equal(certificate.verify(certificate.publicKey), true);
    assert.equal(certificate.ca, false);
    assert.equal(pinOf(certificate.publicKey), identity.pin);
    assert.match(identity.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/);
  });

  it('writes a leaf that its authority vouches for, with the names it is good for', () => {
    const tls = issueServingTls({ authorityName: 'ca', dnsNames: ['stork-agent.stork-system.svc'], now, randomBytes });
    const authority = new X509Certificate(tls.authority);
    const leaf = new X509Certificate(tls.certificate);
    assert.equal(authority.ca, true);
    assert.equal(leaf.checkIssued(authority), true);
    assert.equal(leaf.verify(authority.publicKey), true);
    assert.equal(leaf.checkHost('stork-agent.stork-system.svc'), 'stork-agent.stork-system.svc');
    assert.equal(leaf.checkHost('elsewhere.svc'), undefined);
  });

  for (const [first, hex] of [
    [0x80, 'A0'],
    [0x00, '0'],
    [0x7f, '7F'],
  ] as const) {
    it(`keeps a serial positive and minimal that starts with byte ${first}`, () => {
      const privateKey = newPrivateKey();
      const publicKey = createPublicKey(privateKey);
      const certificate = new X509Certificate(
        writeCertificate({
          subject: 'x'.repeat(64),
          serial: Uint8Array.from([first, 0x01]),
          notBefore: new Date('2049-12-31T00:00:00Z'),
          notAfter: new Date('2050-01-01T00:00:00Z'),
          publicKey,
          use: 'Server',
          issuer: { name: 'y', privateKey: createPrivateKey(privateKey), publicKey },
        }),
      );
      assert.equal(certificate.serialNumber.length > 0, true, hex);
      assert.equal(certificate.validToDate.toISOString(), '2050-01-01T00:00:00.000Z');
    });
  }
});
