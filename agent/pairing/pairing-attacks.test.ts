import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { findCondition } from '../../kube/runtime/conditions.ts';
import { fingerprintOf, parseCode, renderCode } from '../peer/invitation.ts';
import { streamRoute } from '../peer/routes.ts';
import { eventually } from '../peer/two-agents.ts';
import { agentNamespace, pairUp, startCluster, type TestCluster, until } from './test-cluster.ts';

describe('pairing under attack', () => {
  const altered: Readonly<Record<string, (code: string) => string>> = {
    mistyped: (code) => `${code.slice(0, 40)}${code[40] === 'A' ? 'B' : 'A'}${code.slice(41)}`,
    'cut off': (code) => code.slice(0, -12),
    'not one at all': () => 'hello',
  };
  for (const [what, alter] of Object.entries(altered)) {
    it(`refuses a code that is ${what}, in one message, without asking anybody`, async () => {
      await using a = await startCluster('a');
      await using b = await startCluster('b');
      await b.join('to-a', alter(await a.accept('to-b')));
      await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
      const joined = await b.condition('to-a', 'Joined');
      assert.equal(joined?.status, 'False');
      assert.equal(joined?.reason, 'InvalidCode');
      assert.match(joined?.message ?? '', /pairing code/);
      assert.equal((await a.read('to-b')).status?.peer, undefined);
    });
  }

  it('refuses a code with another secret, whatever its checksum', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await b.join('to-a', renderCode({ ...parseCode(code), secret: 'A'.repeat(43) }));
    await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
    assert.equal((await b.condition('to-a', 'Joined'))?.reason, 'WrongCode');
    assert.equal((await a.read('to-b')).status?.peer, undefined);
    assert.notEqual(await a.secret('stork-invite-to-b'), undefined, 'the true code still works');
    assert.ok(a.agent().log.lines.some(({ fields }) => fields.code === 'WrongCode'));
  });

  it('refuses an unknown pair id like a wrong secret would be: with a code of its own, and nothing changed', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await b.join('to-a', renderCode({ ...parseCode(code), pairId: '0'.repeat(32) }));
    await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
    assert.equal((await b.condition('to-a', 'Joined'))?.reason, 'UnknownCode');
  });

  it('refuses an expired code and takes it away on both sides', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    const code = await a.accept('to-b');
    await expireInvitation(a, 'to-b');
    await b.join('to-a', code);
    await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
    const joined = await b.condition('to-a', 'Joined');
    assert.equal(joined?.reason, 'CodeExpired');
    await a.restart();
    await a.until('to-b', (pair) => pair.status?.schedulerStatus === 'Error', 'a says so too');
    assert.equal((await a.condition('to-b', 'Invited'))?.reason, 'CodeExpired');
    await until(
      () => a.secret('stork-invite-to-b'),
      (data) => data === undefined,
      'the code is gone',
    );
    await until(
      () => b.secret('stork-join-to-a'),
      (data) => data === undefined,
      'the code is gone on b',
    );
  });

  it('leaves the pair unconfirmed when a stolen code was used first, and shows both keys to both admins', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await using thief = await startCluster('thief');
    const code = await a.accept('to-b');
    await thief.join('stolen', code);
    await a.until('to-b', (pair) => pair.status?.peer !== undefined, 'the thief joined');
    await b.join('to-a', code);
    await b.until('to-a', (pair) => pair.status?.schedulerStatus === 'Error', 'the victim is refused');
    const [thiefKey, victimKey] = [thief, b].map((side) => side.agent().identity.fingerprint);
    const onB = await b.condition('to-a', 'Joined');
    assert.equal(onB?.reason, 'CodeUsed');
    assert.ok(onB?.message.includes(thiefKey ?? '-') && onB.message.includes(victimKey ?? '-'));
    const onA = await a.until(
      'to-b',
      (pair) => findCondition(pair.status?.conditions, 'Joined')?.message.includes(victimKey ?? '-') === true,
      'the accepting admin sees the second key',
    );
    assert.equal(onA.status?.peer?.fingerprint, thiefKey);
    assert.equal(onA.status?.schedulerStatus, 'Pending');
    // Even a confirmation of the victim's key doesn't let the thief in.
    await a.confirm('to-b', victimKey ?? '');
    await a.until('to-b', (pair) => pair.status?.schedulerStatus === 'Error', 'mismatch');
    assert.equal((await a.condition('to-b', 'Confirmed'))?.reason, 'FingerprintMismatch');
    assert.equal(thief.agent().service.declared()[0]?.state.ready, 'No');
  });

  it('does not follow who edits status: the key it trusts lies elsewhere', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    const attacker = fingerprintOf(randomBytes(32).toString('base64url'));
    await a.client.patch(
      clusterPairs,
      { namespace: agentNamespace, name: 'to-b' },
      { type: 'merge', body: { status: { peer: { fingerprint: attacker } } } },
      { subresource: 'status' },
    );
    const { identity } = b.agent();
    await a.until('to-b', (pair) => pair.status?.peer?.fingerprint === identity.fingerprint, 'status is put right');
    assert.equal(a.agent().service.declared()[0]?.state.ready, 'Yes');
  });

  for (const deletes of ['a', 'b'] as const)
    it(`breaks a transfer under way when the ClusterPair on ${deletes} is deleted, and tells the other side`, async () => {
      let received = 0;
      const admit = async () => (stream: Duplex) =>
        void stream.on('data', (piece: Buffer) => {
          received += piece.length;
        });
      await using a = await startCluster('a', undefined, { routes: [streamRoute({ path: '/v1/sink', admit })] });
      await using b = await startCluster('b');
      await pairUp(a, b);
      const stream = await b.agent().service.declared()[0]?.openStream('/v1/sink');
      assert.ok(stream !== undefined);
      stream.on('error', () => {});
      stream.write(Buffer.alloc(100_000));
      await eventually(() => received > 0, 'bytes flow');
      const gone = once(stream, 'close');
      const [revoker, other] = deletes === 'a' ? [a, b] : [b, a];
      const key = { namespace: agentNamespace, name: deletes === 'a' ? 'to-b' : 'to-a' };
      await revoker.client.delete(clusterPairs, key);
      await gone;
      const told = deletes === 'a' ? 'to-a' : 'to-b';
      await other.until(told, (pair) => pair.status?.schedulerStatus === 'Error', 'the other side is told');
      assert.equal((await other.condition(told, 'Connected'))?.reason, 'Revoked');
    });

  it('closes the link when the confirmation is taken back', async () => {
    await using a = await startCluster('a');
    await using b = await startCluster('b');
    await pairUp(a, b);
    await a.confirm('to-b', fingerprintOf(randomBytes(32).toString('base64url')));
    await eventually(() => b.agent().service.declared()[0]?.state.ready === 'No', 'closed');
  });

  it('does not pair with itself', async () => {
    await using a = await startCluster('a');
    await a.join('to-me', await a.accept('to-b'));
    await a.until('to-me', (pair) => pair.status?.schedulerStatus === 'Error', 'refused');
    assert.equal((await a.condition('to-me', 'Joined'))?.reason, 'SelfPair');
  });

  it('does not overwrite a Secret that only looks like its own', async () => {
    await using a = await startCluster('a');
    const mine = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'stork-invite-to-b', namespace: 'shop' } };
    await a.client.create(core.secrets, { ...mine, data: { keep: 'bWU=' } });
    const accept = { endpoints: ['127.0.0.1:1'] };
    await a.create('to-b', { accept, grant: { namespaces: ['shop'] } }, 'shop');
    const pair = await until(
      () => a.read('to-b', 'shop'),
      (read) => read.status?.schedulerStatus === 'Error',
      'refused',
    );
    assert.equal(findCondition(pair.status?.conditions, 'Invited')?.reason, 'SecretNotOurs');
    assert.deepEqual(await a.secret('stork-invite-to-b', 'shop'), { keep: 'bWU=' });
  });
});

/** Ages the invitation: what the agent keeps says that it ended. */
async function expireInvitation(side: TestCluster, name: string): Promise<void> {
  const { uid } = (await side.read(name)).metadata;
  const held = await side.client.get(core.secrets, { namespace: agentNamespace, name: `stork-pair-${uid}` });
  const trust = JSON.parse(Buffer.from(held.data?.['trust.json'] ?? '', 'base64').toString());
  trust.invitation.expires = 1_700_000_000;
  const encoded = Buffer.from(JSON.stringify(trust)).toString('base64');
  await side.client.replace(core.secrets, { ...held, data: { 'trust.json': encoded } });
}
