/** The store of another machine, against `repo serve` and against restic's own rest-server: one suite. */

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRestServer } from '../../../test/stores/rest-server.ts';
import { serveStore } from '../serve/testing/serve.ts';
import { directoryStore } from './directory-store.ts';
import { memoryStore } from './memory-store.ts';
import { restStore } from './rest-store.ts';
import { describeStore } from './testing/store-suite.ts';

for (const kind of ['a directory', 'memory, in pages of ten'] as const)
  describeStore(
    `REST, \`repo serve\` of ${kind}`,
    async () => {
      const root = await mkdtemp(join(tmpdir(), 'stork-rest-'));
      const served =
        kind === 'a directory'
          ? directoryStore(join(root, 'repository'), randomUUID)
          : memoryStore(undefined, { pageObjects: 10 });
      const server = await serveStore(served);
      return {
        ...{ store: server.client(), again: server.client },
        async [Symbol.asyncDispose]() {
          await server[Symbol.asyncDispose]();
          await rm(root, { recursive: true });
        },
      };
    },
    { pages: false },
  );

describeStore(
  "REST, restic's rest-server",
  async () => {
    const server = await startRestServer();
    const again = () => restStore({ ...server, url: `${server.url}some/where/`, description: 'rest-server' });
    return { store: again(), again, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  },
  { pages: false, exclusive: false, privateNames: false },
);
