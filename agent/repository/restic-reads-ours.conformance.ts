import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { scratch } from '../mover/testing/test-volumes.ts';
import { backup } from './backup/backup.ts';
import { initRepository, openRepository } from './repository.ts';
import { directoryStore } from './store/directory-store.ts';
import { checkWithRestic, restic, resticMissing } from './testing/stock-restic.ts';

const password = 'a password';
const owner = { created: new Date(0), username: 'root', hostname: 'here' };

describe('stock restic', { skip: resticMissing }, () => {
  it('checks and dumps what we write', async () => {
    using space = scratch();
    const root = space.path('data');
    mkdirSync(root);
    const content = randomBytes(3_000_000);
    writeFileSync(`${root}/file`, content);
    await initRepository(directoryStore(space.path('repo'), randomUUID), password, owner, randomBytes);
    const repository = await openRepository(directoryStore(space.path('repo'), randomUUID), password, randomBytes);
    await backup({
      repository,
      paths: [root],
      describe: { time: new Date(), hostname: 'h', username: 'u', tags: [], excludes: [] },
      parent: undefined,
      level: 3,
      threads: 2,
      signal: new AbortController().signal,
    });
    checkWithRestic(space.path('repo'), password);
    assert.deepEqual(restic(space.path('repo'), password, 'dump', 'latest', `${root}/file`), content);
  });
});
