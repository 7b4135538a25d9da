import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { encodeMasterKey } from '../format/key-file.ts';
import { readJson } from '../format/read-json.ts';
import { runCommand } from '../testing/run-command.ts';
import { ageDecrypt, ageEncrypt, ageKeygen, ageMissing } from '../testing/stock-age.ts';
import { testKey } from '../testing/write-restore-point.ts';
import { openForIdentities, parseIdentities } from './age-slot.ts';

/** A repository whose first slot is a password. */
async function place() {
  const space = scratch();
  const [repo, passwordFile, identityFile] = [space.path('repo'), space.path('password'), space.path('identity')];
  writeFileSync(passwordFile, 'secret');
  const pair = ageKeygen();
  writeFileSync(identityFile, pair.identityFile, { mode: 0o600 });
  const withPassword = (...argv: readonly string[]) =>
    runCommand(...argv, '--repo', repo, '--password-file', passwordFile);
  const withIdentity = (...argv: readonly string[]) =>
    runCommand(...argv, '--repo', repo, '--identity-file', identityFile);
  assert.equal((await withPassword('repo', 'init')).exitCode, 0);
  return { ...pair, space, repo, identityFile, identityText: pair.identityFile, withPassword, withIdentity };
}

describe('key slots for recipients of age', { skip: ageMissing }, () => {
  it('open the repository to their identity; the age of the system opens the slot too', async () => {
    const at = await place();
    using space = at.space;
    const wrong = await at.withIdentity('list');
    assert.equal(wrong.exitCode, 12, wrong.stderr);
    const added = await at.withPassword('key', 'add', '--recipient', at.recipient, '--label', 'on call', '--json');
    assert.equal(added.exitCode, 0, added.stderr);
    const opened = await at.withIdentity('repo', 'info', '--json');
    assert.equal(opened.exitCode, 0, opened.stderr);
    assert.equal(opened.stderr, '');
    const { name } = JSON.parse(added.stdout.toString()) as { name: string };
    const { data } = JSON.parse(readFileSync(`${at.repo}/${name}`, 'utf8')) as { data: string };
    const key = ageDecrypt(space.path('identity'), Buffer.from(data, 'base64'));
    assert.ok(readJson(key, 'key').text('encrypt').length > 0);
  });

  it('made by the age of the system are opened', async () => {
    const { identityFile, recipient } = ageKeygen();
    const data = ageEncrypt(recipient, encodeMasterKey(testKey)).toString('base64');
    const slot = readJson(Buffer.from(JSON.stringify({ kdf: 'age', data })), 'slot');
    assert.deepEqual(await openForIdentities(slot, await parseIdentities(identityFile, 'F')), testKey);
  });

  it('are exchanged for a passphrase by who can open them, and refuse what can not be proven', async () => {
    const at = await place();
    using space = at.space;
    await at.withPassword('key', 'add', '--recipient', at.recipient);
    const refused = await at.withIdentity('key', 'rotate', '--recipient', ageKeygen().recipient);
    assert.equal(refused.exitCode, 2, refused.stderr);
    writeFileSync(space.path('new'), 'another');
    const rotated = await at.withIdentity('key', 'rotate', '--new-password-file', space.path('new'));
    assert.equal(rotated.exitCode, 0, rotated.stderr);
    assert.equal((await at.withIdentity('list')).exitCode, 12);
    assert.equal((await runCommand('list', '-r', at.repo, '-p', space.path('new'))).exitCode, 0);
  });

  it('warn of an identity file that others can read, and are refused without telling what is in it', async () => {
    const at = await place();
    using space = at.space;
    await at.withPassword('key', 'add', '--recipient', at.recipient);
    chmodSync(at.identityFile, 0o644);
    const warned = await at.withIdentity('list');
    assert.equal(warned.exitCode, 0, warned.stderr);
    assert.match(warned.stderr, /can be read by other users/);
    const secret = /AGE-SECRET-KEY-1\w+/.exec(at.identityText)?.[0] ?? '';
    writeFileSync(space.path('identity'), `${secret}x`, { mode: 0o600 });
    const broken = await at.withIdentity('list');
    assert.equal(broken.exitCode, 2);
    assert.match(broken.stderr, /identity line 1/);
    assert.ok(!broken.stderr.includes(secret.slice(20)));
  });

  it('are asked for in one way at a time', async () => {
    const at = await place();
    using _space = at.space;
    assert.equal((await at.withPassword('list', '--identity-file', at.identityFile)).exitCode, 2);
    assert.equal((await at.withPassword('key', 'add')).exitCode, 2);
    assert.equal((await at.withPassword('key', 'add', '--restic', '--recipient', at.recipient)).exitCode, 2);
    assert.equal((await at.withPassword('key', 'add', '--recipient', 'age1x')).exitCode, 2);
  });
});
