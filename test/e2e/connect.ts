/** A client of one cluster of the test bed, as our programs make theirs. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../kube/client/client.ts';
import { core, type Pod } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { patience } from '../demo/commands.ts';
import { testbed } from './bed.ts';

export async function connect(context: 'a' | 'b'): Promise<KubeClient> {
  await testbed('up');
  await testbed('load-image', 'toolbox');
  const path = (await testbed('kubeconfig')).trim();
  const readText = (file: string) => readFile(file, 'utf8');
  const config = await loadKubeconfig({ env: {}, homeDirectory: '/', readText, path, context });
  return createKubeClient({ config, env: {}, clock: systemClock(), random: Math.random, readText, terminal: 'Absent' });
}

/** A namespace of its own, removed to the end when disposed. */
export async function aNamespace(client: KubeClient, generateName: string) {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: '', generateName } };
  const { metadata } = await client.create(core.namespaces, object);
  const { name } = metadata;
  await until('its ServiceAccount is there', () =>
    client.find(core.serviceAccounts, { namespace: name, name: 'default' }),
  );
  return {
    name,
    async [Symbol.asyncDispose]() {
      await client.delete(core.namespaces, { name });
      await until('the namespace is gone', async () => (await client.find(core.namespaces, { name })) === undefined);
    },
  };
}

/** Runs the command (which must not end) until it is deleted. */
export async function aRunningPod(
  client: KubeClient,
  namespace: string,
  name: string,
  changes: Partial<Pod['spec']> = {},
) {
  const command = ['sh', '-c', 'echo started; echo "and more"; trap "exit 0" TERM; while :; do sleep 1; done'];
  const containers = [{ name: 'main', image: 'stork.test/toolbox:1', imagePullPolicy: 'Never', command }];
  const object: Pod = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace } },
    spec: { terminationGracePeriodSeconds: 1, containers, ...changes },
  };
  await client.create(core.pods, object);
  await until(
    `${name} runs`,
    async () => (await client.get(core.pods, { namespace, name })).status?.phase === 'Running',
  );
}

export async function until<T>(what: string, observe: () => Promise<T | undefined | false>): Promise<T> {
  const endMs = performance.now() + 60_000 * patience;
  while (performance.now() < endMs) {
    const seen = await observe();
    if (seen !== undefined && seen !== false) return seen;
    await sleep(100);
  }
  throw new Error(`it did not happen within minutes that ${what}`);
}
