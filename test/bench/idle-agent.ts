/** The built agent, run on this machine as it runs in its pod: environment, mounted ServiceAccount, its own pod to mark. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { agentName, agentNamespace } from '../../crds/agent-names.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { systemClock } from '../../kube/clock.ts';
import { applyObjects } from '../../plugin/install/apply-install.ts';
import { defaultInstallChoices } from '../../plugin/install/install-choices.ts';
import { planInstall } from '../../plugin/install/plan-install.ts';
import type { RunningApiServer } from '../testbed/apiserver.ts';

export const agentUser = `system:serviceaccount:${agentNamespace}:${agentName}`;
const pod = `${agentName}-0`;

/** Everything that `kubectl stork install` makes, except the Deployment: nothing here would run its pods. */
export async function installWithoutPods(client: KubeClient): Promise<void> {
  const objects = planInstall(defaultInstallChoices).filter(({ kind }) => kind !== 'Deployment');
  const signal = new AbortController().signal;
  await applyObjects({ client, clock: systemClock(), signal, tell: () => {} }, objects, undefined);
}

export interface RunningAgent extends AsyncDisposable {
  /** Resolves when it leads; rejects when it ended. */
  readonly leads: Promise<void>;
  /** Resident now and at its highest, in MB. */
  memory(): Promise<{ readonly rssMB: number; readonly peakMB: number }>;
}

/** Needs root: in a mount namespace of its own the ServiceAccount lies where the kubelet would mount it. */
export async function runAgent(program: string, server: RunningApiServer, token: string): Promise<RunningAgent> {
  const folder = await mkdtemp(join(tmpdir(), 'stork-idle-'));
  await mkdir(join(folder, 'account'));
  const mounted = { token, namespace: agentNamespace, 'ca.crt': await readFile(server.caCertificate, 'utf8') };
  for (const [name, text] of Object.entries(mounted)) await writeFile(join(folder, 'account', name), text);
  const { hostname, port } = new URL(server.url);
  const child = spawn(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', inPod, 'in-pod', folder, program],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
        ...{ POD_NAME: pod, POD_NAMESPACE: agentNamespace, STORK_IMAGE: 'stork-agent', STORK_CLUSTER_NAME: 'idle' },
      },
    },
  );
  const { promise: leads, resolve, reject } = Promise.withResolvers<void>();
  leads.catch(() => {});
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      last.push(line);
      if (last.length > 20) last.shift();
      if (line.includes('"leading"')) resolve();
    });
  }
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  void ended.then(() => reject(new Error(`the agent ended:\n${last.join('\n')}`)));
  return {
    leads,
    async memory() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      const kilobytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
      return { rssMB: kilobytes('VmRSS') / 1024, peakMB: kilobytes('VmHWM') / 1024 };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const inPod = `set -e
place=/run/secrets/kubernetes.io/serviceaccount
mount -t tmpfs tmpfs /run
mkdir -p "$place"
cp "$1"/account/* "$place"/
exec "$2" run`;

/** As the kubelet asks for it. */
export async function issueToken(client: KubeClient): Promise<string> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 86_400 } };
  const path = `/api/v1/namespaces/${agentNamespace}/serviceaccounts/${agentName}/token`;
  const answer = (await client.request('POST', path, { body })) as { readonly status: { readonly token: string } };
  return answer.status.token;
}

export const agentPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: pod, namespace: agentNamespace, labels: { 'app.kubernetes.io/name': agentName } },
  spec: { serviceAccountName: agentName, containers: [{ name: 'agent', image: 'stork-agent' }] },
} as const;
