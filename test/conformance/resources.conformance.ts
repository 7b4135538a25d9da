/** The promises of agent/resources on a real kube-apiserver: server-side apply, immutable fields, ports and RBAC for real. */
import { readFile } from 'node:fs/promises';
import { after, before } from 'node:test';
import { describeResources } from '../../agent/resources/resources.suite.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { type RunningApiServer, startApiServer } from '../testbed/apiserver.ts';

const clock = systemClock();
const readText = (path: string) => readFile(path, 'utf8');
let server: RunningApiServer | undefined;
let client: KubeClient | undefined;
let count = 0;

before(async () => {
  server = await startApiServer();
  const config = await loadKubeconfig({ env: {}, homeDirectory: '/', readText, path: server.kubeconfigPath });
  client = createKubeClient({ config, env: {}, clock, random: Math.random, readText, terminal: 'Absent' });
  // The peer may do all; the powerless account needs no object: it may do nothing as it is.
  await client.create(core.clusterRoleBindings, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'peer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', namespace: 'stork-system', name: 'stork-peer' }],
  });
});
after(async () => {
  client?.close();
  await server?.stop();
});

describeResources('a real API server', () => {
  if (client === undefined) throw new Error('the API server did not start');
  const started = client;
  return {
    client: started,
    clock,
    checks: 'Full',
    async freshNamespace() {
      count += 1;
      const name = `t${count}`;
      await started.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      return name;
    },
  };
});
