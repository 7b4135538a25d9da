/** What movers know between syncs, over the real endpoint and the movers' own client. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { systemClock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { silentLog } from '../../kube/log.ts';
import { createAgentClient } from '../mover/agent-client.ts';
import type { MoverRole } from '../mover/contract.ts';
import { fetchTrees } from '../mover/kept-trees.ts';
import { type Scratch, scratch } from '../mover/testing/test-volumes.ts';
import { cacheFileName } from '../mover/tree-cache.ts';
import { createTreeStore } from '../mover/tree-store.ts';
import type { MoverAuthentication } from './mover-authentication.ts';
import { startMoverEndpoint } from './mover-endpoint.ts';
import type { RunEntry } from './peer.ts';
import { createRunRegistry } from './run-registry.ts';
import { issueServingTls } from './serving-tls.ts';

/** Tokens are pod names here. */
const authentication: MoverAuthentication = {
  async podOf(authorization) {
    const name = authorization?.replace('Bearer ', '') ?? '';
    if (name !== '') return { namespace: 'stork-system', name, uid: `uid-${name}` };
    throw new StorkError({ code: 'InvalidMoverToken', message: 'no token' });
  },
};

async function startAgent(space: Scratch) {
  const clock = systemClock();
  const tls = issueServingTls({ authorityName: 'ca', dnsNames: ['localhost'], now: clock.now(), randomBytes });
  const runs = createRunRegistry();
  const trees = createTreeStore({ directory: space.path('trees'), limitBytes: 2 ** 30, clock });
  const common = { tls, runs, authentication, trees, port: 0, host: '127.0.0.1', log: silentLog() };
  const endpoint = await startMoverEndpoint(common);
  const clients: ReturnType<typeof createAgentClient>[] = [];
  return {
    /** Lets a pod in as the mover of a run that has one volume, `data`. */
    register: (run: string, role: MoverRole, pod: string, key: string) =>
      runs.register(run, {
        role,
        mayAct: ({ name }) => name === pod,
        connect: () => Promise.reject(new StorkError({ code: 'PeerNotConnected', message: 'no' })),
        onReport: () => undefined,
        gate: async () => ({ state: 'Go' }),
        treeKey: (volume) => (volume === 'data' ? key : undefined),
      } satisfies RunEntry),
    /** What a mover has before its copy. */
    async begin(run: string, role: MoverRole, pod: string, volume = 'data') {
      const url = `https://localhost:${endpoint.port}`;
      const client = createAgentClient({ url, ca: tls.authority, run, readToken: () => pod, clock });
      clients.push(client);
      const directory = space.path(`${run}-${role}-${pod}`);
      const { signal } = new AbortController();
      const volumes = [{ name: volume, path: '/', kind: 'files' }] as const;
      const kept = await fetchTrees({ client, role, volumes, directory, clock, signal });
      const file = `${directory}/${cacheFileName(volume, role)}`;
      return { kept, file, found: () => readOrNone(file) };
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.close();
      await endpoint[Symbol.asyncDispose]();
    },
  };
}

function readOrNone(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

describe("a mover's knowledge of its volumes", () => {
  it('reaches the next mover of the same volume, and nobody else', async () => {
    using space = scratch();
    await using agent = await startAgent(space);
    agent.register('one', 'source', 'pod-1', 'key');
    const first = await agent.begin('one', 'source', 'pod-1');
    assert.equal(first.found(), undefined);
    const large = 'known '.repeat(500_000);
    writeFileSync(first.file, large);
    await first.kept.handBack();
    agent.register('two', 'source', 'pod-2', 'key');
    assert.equal((await agent.begin('two', 'source', 'pod-2')).found(), large);
    agent.register('three', 'source', 'pod-3', 'another key');
    assert.equal((await agent.begin('three', 'source', 'pod-3')).found(), undefined);
    // A pod of another run, a role and a volume that the run has not.
    assert.equal((await agent.begin('two', 'source', 'pod-3')).found(), undefined);
    assert.equal((await agent.begin('two', 'destination', 'pod-2')).found(), undefined);
    assert.equal((await agent.begin('two', 'source', 'pod-2', 'other')).found(), undefined);
  });

  it('is replaced by nobody else', async () => {
    using space = scratch();
    await using agent = await startAgent(space);
    agent.register('one', 'source', 'pod-1', 'key');
    const mine = await agent.begin('one', 'source', 'pod-1');
    writeFileSync(mine.file, 'mine');
    await mine.kept.handBack();
    const theirs = await agent.begin('one', 'source', 'pod-2');
    writeFileSync(theirs.file, 'theirs');
    await theirs.kept.handBack();
    agent.register('two', 'source', 'pod-3', 'key');
    assert.equal((await agent.begin('two', 'source', 'pod-3')).found(), 'mine');
  });

  it('is what a restarted mover has itself, not what the agent had before', async () => {
    using space = scratch();
    await using agent = await startAgent(space);
    agent.register('one', 'source', 'pod-1', 'key');
    const directory = space.path('one-source-pod-1');
    mkdirSync(directory, { recursive: true });
    writeFileSync(`${directory}/${cacheFileName('data', 'source')}`, 'its own');
    assert.equal((await agent.begin('one', 'source', 'pod-1')).found(), 'its own');
  });
});
