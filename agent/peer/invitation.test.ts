import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  decideJoin,
  fingerprintOf,
  type InvitationRecord,
  joinProof,
  mintInvitation,
  parseCode,
  proofKeyOf,
  renderCode,
} from './invitation.ts';

const now = new Date('2026-11-21T00:00:00Z');
const pin = randomBytes(32).toString('base64url');
const other = randomBytes(32).toString('base64url');

const mint = () =>
  mintInvitation({ endpoints: ['a.example:8443', '[fd00::1]:30443'], pin, now, ttlSeconds: 600, randomBytes });

describe('a pairing code', () => {
  it('is read back whole, white space in it ignored', () => {
    const { code, record } = mint();
    const invitation = parseCode(` ${code.slice(0, 30)}\n  ${code.slice(30)}\n`);
    assert.equal(invitation.pairId, record.pairId);
    assert.deepEqual(invitation.endpoints, ['a.example:8443', '[fd00::1]:30443']);
    assert.equal(invitation.expires, now.getTime() / 1000 + 600);
    assert.equal(proofKeyOf(invitation.secret), record.proofKey);
    assert.equal(JSON.stringify(record).includes(invitation.secret), false);
  });

  it('is refused when any one character differs, without being quoted', () => {
    const { code } = mint();
    for (let at = 0; at < code.length; at += 7) {
      const letter = code[at] === 'x' ? 'y' : 'x';
      const altered = code.slice(0, at) + letter + code.slice(at + 1);
      assert.throws(
        () => parseCode(altered),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'InvalidCode');
          return !error.message.includes(code.slice(10, 30));
        },
      );
    }
  });

  const { invitation } = { invitation: parseCode(mint().code) };
  const hostile: Readonly<Record<string, string>> = {
    nothing: '',
    'another version': mint().code.replace('stork1', 'stork2'),
    'a megabyte': 'x'.repeat(1 << 20),
    'no endpoint': renderCode({ ...invitation, endpoints: [] }),
    'a port that no socket has': renderCode({ ...invitation, endpoints: ['a.example:99999'] }),
    'a URL for an endpoint': renderCode({ ...invitation, endpoints: ['http://169.254.169.254/'] }),
    'a pin of another length': renderCode({ ...invitation, pin: 'abc' }),
    'a pair id that is a path': renderCode({ ...invitation, pairId: '../../../../etc/passwd/////////x' }),
  };
  for (const [what, code] of Object.entries(hostile)) {
    it(`is refused: ${what}`, () => assert.throws(() => parseCode(code), { code: 'InvalidCode' }));
  }
});

describe('a join', () => {
  const open: InvitationRecord = { ...mint().record, joinerPin: undefined };
  const taken: InvitationRecord = { ...open, joinerPin: pin };
  const late = new Date(now.getTime() + 600_000);
  const cases = [
    ['is bound to the first key', open, { joinerPin: pin, proof: 'Right', now }, 'bind'],
    ['may repeat with that key', taken, { joinerPin: pin, proof: 'Right', now }, 'repeat'],
    ['is refused to another key', taken, { joinerPin: other, proof: 'Right', now }, 'CodeUsed'],
    ['is refused with a wrong proof', open, { joinerPin: pin, proof: 'Wrong', now }, 'WrongCode'],
    ['is refused at its last second', open, { joinerPin: pin, proof: 'Right', now: late }, 'CodeExpired'],
    ['is refused to its own key after that', taken, { joinerPin: pin, proof: 'Right', now: late }, 'CodeExpired'],
    [
      'tells nobody without the secret that it was used',
      taken,
      { joinerPin: other, proof: 'Wrong', now: late },
      'WrongCode',
    ],
    ['is refused for an unknown pair', undefined, { joinerPin: pin, proof: 'Wrong', now }, 'UnknownCode'],
  ] as const;
  for (const [what, record, attempt, expected] of cases) {
    it(what, () => {
      const decision = decideJoin(record, attempt);
      assert.equal(decision.do === 'refuse' ? decision.code : decision.do, expected);
      if (expected === 'CodeUsed' && decision.do === 'refuse') {
        assert.ok(decision.message.includes(fingerprintOf(pin)) && decision.message.includes(fingerprintOf(other)));
      }
    });
  }

  it('proof differs by role, channel, keys and pair', () => {
    const base = {
      role: 'joiner',
      exporter: Buffer.from('e1'),
      joinerPin: pin,
      acceptorPin: other,
      pairId: 'p',
    } as const;
    const proofs = [
      base,
      { ...base, role: 'acceptor' as const },
      { ...base, exporter: Buffer.from('e2') },
      { ...base, joinerPin: other, acceptorPin: pin },
      { ...base, pairId: 'q' },
    ].map((given) => joinProof(open.proofKey, given));
    assert.equal(new Set(proofs).size, proofs.length);
  });
});
