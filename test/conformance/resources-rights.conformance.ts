/**
 * What `kubectl stork install` grants is enough, and no more than that is used: the demo's application is collected as the
 * agent's ServiceAccount on one API server and applied as the peer's on another, started as the peer, stopped as the agent.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { activateNamespace, deactivateNamespace } from '../../agent/resources/activation.ts';
import { applyObjects, identityOfServiceAccount } from '../../agent/resources/apply/apply-objects.ts';
import { collectResources } from '../../agent/resources/collect/collect-resources.ts';
import { orderObjects } from '../../agent/resources/order-objects.ts';
import { transformObject } from '../../agent/resources/transform/transform-object.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { run } from '../demo/commands.ts';
import { type RunningApiServer, startApiServer } from '../testbed/apiserver.ts';
import { type Answer, kubectlFor } from './kubectl.ts';

const root = join(import.meta.dirname, '../..');
const clock = systemClock();
const readText = (path: string) => readFile(path, 'utf8');
const agent = identityOfServiceAccount('stork-system/stork-agent');
const peer = identityOfServiceAccount('stork-system/stork-peer');
const namespaces = ['mysql'];
const opened: { readonly server: RunningApiServer; readonly client: KubeClient }[] = [];

const clientOf = (index: number): KubeClient => {
  const found = opened[index];
  if (found === undefined) throw new Error('the API server did not start');
  return found.client;
};

async function open(): Promise<(argv: readonly string[], input?: unknown) => Promise<Answer>> {
  const server = await startApiServer();
  const config = await loadKubeconfig({ env: {}, homeDirectory: '/', readText, path: server.kubeconfigPath });
  const client = createKubeClient({ config, env: {}, clock, random: Math.random, readText, terminal: 'Absent' });
  opened.push({ server, client });
  const kubectl = await kubectlFor(server.kubeconfigPath);
  const printed = await run(process.execPath, [
    join(root, 'plugin/main.ts'),
    ...['install', '--dry-run=client', '-o', 'yaml', '--kubeconfig', server.kubeconfigPath],
  ]);
  expectDone(await kubectl(['apply', '--server-side', '-f', '-'], listOf(printed.stdout)));
  return kubectl;
}

before(async () => {
  const [kubectl] = [await open(), await open()];
  expectDone(await kubectl(['create', 'namespace', 'mysql']));
  expectDone(await kubectl(['apply', '-f', '-'], listOf(await readText(join(root, 'examples/demo/mariadb.yaml')))));
});
after(async () => {
  for (const { client, server } of opened) {
    client.close();
    await server.stop();
  }
});

describe('the rights that install grants', () => {
  it('let the agent collect the demo’s application, and a peer make, start and keep it', async () => {
    const collected = await collectResources({ client: clientOf(0).as(agent) }, { namespaces, registrations: [] });
    assert.deepEqual(collected.unreadable, []);
    const context = { pairId: 'p', namespaces, serviceAddresses: 'Clear', registrations: [] } as const;
    const waves = orderObjects(collected.objects.map((object) => transformObject(object, context)));
    assert.deepEqual(await send(waves, 'Created'), []);
    assert.deepEqual(await send(waves, 'Unchanged'), []);
    const started = await activateNamespace({ client: clientOf(1).as(peer) }, 'mysql');
    assert.deepEqual(started.failures, []);
    assert.ok(
      started.messages.includes('Updated replicas for deployment mysql/mysql to 1'),
      started.messages.join('\n'),
    );
    const stopped = await deactivateNamespace(
      { client: clientOf(1).as(agent) },
      { namespace: 'mysql', originals: 'Leave' },
    );
    assert.deepEqual(stopped.failures, []);
    assert.equal(stopped.messages.length, started.messages.length);
  });
});

/** One line for each object that did not end as expected. */
async function send(waves: ReturnType<typeof orderObjects>, expected: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const objects of waves) {
    const applied = await applyObjects(
      { client: clientOf(1), clock, identity: peer },
      {
        objects,
        pairId: 'p',
        migration: { namespace: 'mysql', name: 'm', time: clock.now().toISOString() },
        grant: { namespaces, clusterScopedKinds: [] },
      },
    );
    const odd = applied.filter(({ result }) => result !== expected);
    lines.push(...odd.map(({ ref, result, reason }) => `${ref.kind} ${ref.name}: ${result} ${reason}`));
  }
  return lines;
}

const listOf = (yaml: string) => ({
  apiVersion: 'v1',
  kind: 'List',
  items: parseAllDocuments(yaml)
    .map((document) => document.toJS())
    .filter((object) => object !== null),
});

function expectDone(answer: Answer): void {
  assert.equal(answer.code, 0, answer.stderr);
}
