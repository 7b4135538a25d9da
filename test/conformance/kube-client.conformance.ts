/** The suite of kube/client on a real kube-apiserver. */
import { readFile } from 'node:fs/promises';
import { after, before } from 'node:test';
import { describeKubeClient } from '../../kube/client/conformance/describe-kube-client.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { type RunningApiServer, startApiServer } from '../testbed/apiserver.ts';

let server: RunningApiServer | undefined;
before(async () => {
  server = await startApiServer();
});
after(() => server?.stop());

const readText = (path: string) => readFile(path, 'utf8');

describeKubeClient('a real kube-apiserver', async () => {
  if (server === undefined) throw new Error('the API server is not up');
  const request = { env: {}, homeDirectory: '/nonexistent', readText, path: server.kubeconfigPath };
  const config = await loadKubeconfig(request);
  const client = createKubeClient({
    ...{ config, env: process.env, readText, terminal: 'Absent' },
    ...{ clock: systemClock(), random: Math.random },
  });
  return { client, powerlessUser: 'nobody', expireHistory() {}, close: async () => client.close() };
});
