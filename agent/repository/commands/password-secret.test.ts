import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../../kube/client/core.ts';
import { manualClock } from '../../../kube/clock.ts';
import { renderError, StorkError } from '../../../kube/errors.ts';
import { fakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import { readPasswordSecret } from './password-secret.ts';
import { parseSecretPlace } from './unlock-arguments.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function aCluster(data: Readonly<Record<string, string>>, right: 'Allow' | 'Deny' = 'Allow') {
  const server = fakeApiServer({
    clock: manualClock(),
    authorize: ({ identity }) => (identity.user === 'backup' ? right : 'Allow'),
  });
  const client = server.client();
  const metadata = { name: 'repository', namespace: 'vault' };
  await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'vault' } });
  await client.create(core.secrets, { apiVersion: 'v1', kind: 'Secret', metadata, data });
  return client.as({ user: 'backup', groups: [] });
}

const place = { namespace: 'vault', name: 'repository', key: 'password' };

async function refusal(reading: Promise<string>): Promise<StorkError> {
  const error = await reading.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof StorkError);
  return error;
}

describe('a password in a Secret', () => {
  it('is the first line of its key', async () => {
    const client = await aCluster({ password: base64('hunter2\nsecond line\n'), other: base64('another') });
    assert.equal(await readPasswordSecret(client, place), 'hunter2');
    assert.equal(await readPasswordSecret(client, { ...place, key: 'other' }), 'another');
  });

  it('that can not be had is told by Secret, key and right, and never shown', async () => {
    const client = await aCluster({ pass: base64('hunter2'), empty: base64('\nhunter2') });
    const absent = await refusal(readPasswordSecret(client, { ...place, name: 'absent' }));
    assert.deepEqual([absent.code, absent.about], ['PasswordSecretMissing', 'Secret vault/absent']);
    const key = await refusal(readPasswordSecret(client, place));
    assert.deepEqual(
      [key.code, key.message],
      ['PasswordSecretMissing', 'The Secret has no key password; it has empty, pass'],
    );
    const empty = await refusal(readPasswordSecret(client, { ...place, key: 'empty' }));
    assert.equal(empty.code, 'PasswordSecretInvalid');
    const denied = await refusal(readPasswordSecret(await aCluster({ password: base64('hunter2') }, 'Deny'), place));
    assert.equal(denied.code, 'PasswordSecretForbidden');
    assert.match(denied.hint ?? '', /the right to get secrets, by resourceNames \[repository\], in namespace vault/);
    for (const error of [absent, key, empty, denied]) assert.ok(!renderError(error).includes('hunter2'));
  });

  it('is named NAMESPACE/NAME or NAMESPACE/NAME/KEY', () => {
    assert.deepEqual(parseSecretPlace('vault/repository'), place);
    assert.deepEqual(parseSecretPlace('vault/repo.x/tls.key'), { namespace: 'vault', name: 'repo.x', key: 'tls.key' });
    for (const wrong of ['', 'vault', 'vault/', '/a', 'a/b/c/d', '../a/b', 'Vault/a', 'a/b/../c', 'a/b/', 'a b/c'])
      assert.equal(parseSecretPlace(wrong), undefined, wrong);
  });
});
