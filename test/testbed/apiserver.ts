/**
 * One etcd and one real kube-apiserver on free loopback ports, for tests that
 * need the API but no nodes:
 *
 *     await using server = await startApiServer();
 *     const client = connect(server.kubeconfigPath);
 *
 * RBAC is on; the kubeconfig is a cluster administrator's. Ready in about 8 s
 * once the programs are built. Stops with the caller, also when the caller is
 * killed: both run under a supervising shell that waits on a pipe from here.
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiServerBinaries, type Binaries, ensureBinaries, kubernetesVersion, type Report } from './binaries.ts';
import { apiServerArguments, controlPlaneIdentities, etcdArguments } from './control-plane.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { createPki, type Pki } from './pki.ts';

export interface ApiServerOptions {
  /** Kept after stop when given; otherwise a temporary folder that stop removes. */
  readonly dir?: string;
  /** Only the version that ensureBinaries builds is available. */
  readonly version?: string;
  readonly report?: Report;
  /** Users whose requests are written down in `auditLog`, each with its verb and object. */
  readonly auditedUsers?: readonly string[];
}

export interface RunningApiServer extends AsyncDisposable {
  readonly kubeconfigPath: string;
  readonly url: string;
  readonly caCertificate: string;
  /** JSON lines of audit.k8s.io/v1; empty unless users are audited. */
  readonly auditLog: string;
  stop(): Promise<void>;
}

const startLimitMs = 180_000;
const address = '127.0.0.1';

export async function startApiServer(options: ApiServerOptions = {}): Promise<RunningApiServer> {
  if (options.version !== undefined && options.version !== kubernetesVersion) {
    throw new Error(`only ${kubernetesVersion} is built here, not ${options.version}`);
  }
  const binaries = await ensureBinaries(apiServerBinaries, options.report);
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'stork-apiserver-')));
  await mkdir(dir, { recursive: true });
  const [port, etcdPort, peerPort] = await findFreePorts(3);
  const url = `https://${address}:${port}`;
  const pki = await createPki(join(dir, 'pki'));
  const audit = { policyFile: join(dir, 'audit-policy.json'), logFile: join(dir, 'audit.log') };
  await writeFile(audit.policyFile, JSON.stringify(auditPolicy(options.auditedUsers ?? [])));
  const audited = options.auditedUsers === undefined ? {} : { audit };
  const commands = await planCommands({ binaries, pki, dir, port, etcdPort, peerPort, ...audited });
  const kubeconfigPath = join(dir, 'kubeconfig');
  const admin = await pki.issue(controlPlaneIdentities([address]).admin);
  const entry = { context: 'stork-apiserver', url, caCertificate: pki.ca.certificate, credential: admin };
  await writeKubeconfig(kubeconfigPath, [entry]);

  const children = commands.map(([name, argv]) => supervise(join(dir, `${name}.log`), argv));
  const stop = async () => {
    await Promise.all(children.map((child) => child.stop()));
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  };
  try {
    await waitUntilReady({
      url,
      ca: await readFile(pki.ca.certificate),
      isRunning: () => children.every((c) => c.runs()),
    });
  } catch (error) {
    const tail = (await readFile(join(dir, 'kube-apiserver.log'), 'utf8').catch(() => '')).slice(-2000);
    await stop();
    throw new Error(`kube-apiserver did not become ready:\n${tail}`, { cause: error });
  }
  const caCertificate = pki.ca.certificate;
  return { kubeconfigPath, url, caCertificate, auditLog: audit.logFile, stop, [Symbol.asyncDispose]: stop };
}

const auditPolicy = (users: readonly string[]) => ({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [...(users.length === 0 ? [] : [{ level: 'Metadata', users }]), { level: 'None' }],
});

interface CommandInputs {
  readonly binaries: Binaries;
  readonly pki: Pki;
  readonly dir: string;
  readonly port: number;
  readonly etcdPort: number;
  readonly peerPort: number;
  readonly audit?: { readonly policyFile: string; readonly logFile: string };
}

type NamedCommand = readonly [name: string, argv: readonly string[]];

async function planCommands(inputs: CommandInputs): Promise<readonly NamedCommand[]> {
  const { binaries, pki, dir, port, etcdPort, peerPort } = inputs;
  const identities = controlPlaneIdentities([address, '10.96.0.1']);
  const [serving, kubeletClient, frontProxy] = await Promise.all([
    pki.issue(identities.serving),
    pki.issue(identities.kubeletClient),
    pki.issue(identities.frontProxy),
  ]);
  const etcd = etcdArguments({ dataFolder: join(dir, 'etcd'), port: etcdPort, peerPort });
  const server = apiServerArguments({
    address,
    port,
    etcdPort,
    serviceCidr: '10.96.0.0/16',
    pki,
    serving,
    kubeletClient,
    frontProxy,
    ...(inputs.audit === undefined ? {} : { audit: inputs.audit }),
  });
  return [
    ['etcd', [binaries.path('etcd'), ...etcd]],
    ['kube-apiserver', [binaries.path('kube-apiserver'), ...server, `--endpoint-reconciler-type=none`]],
  ];
}

/** The shell reads from us until the pipe closes, which it does even when we are killed; then it kills the program, whose data nobody needs. */
const supervisor = 'exec 3<&0; "$@" </dev/null 3<&- & child=$!; (read -r line <&3; kill -9 $child) & wait $child';

function supervise(logFile: string, argv: readonly string[]) {
  const child = spawn('sh', ['-c', supervisor, 'supervise', ...argv], { stdio: ['pipe', 'pipe', 'pipe'] });
  const log = createWriteStream(logFile);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  child.stdin.on('error', () => {
    // The program ended by itself; runs() tells.
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    runs: () => child.exitCode === null && child.signalCode === null,
    stop: async () => {
      child.stdin.end();
      await exited;
      log.end();
    },
  };
}

async function findFreePorts(count: 3): Promise<readonly [number, number, number]>;
async function findFreePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, address, resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const bound = server.address();
    return bound !== null && typeof bound === 'object' ? bound.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

interface Readiness {
  readonly url: string;
  readonly ca: Buffer;
  readonly isRunning: () => boolean;
}

async function waitUntilReady({ url, ca, isRunning }: Readiness): Promise<void> {
  const deadline = Date.now() + startLimitMs;
  while (!(await answersReadyz(url, ca))) {
    if (!isRunning()) throw new Error('it ended');
    if (Date.now() > deadline) throw new Error(`not ready after ${startLimitMs / 1000} s`);
    await sleep(100);
  }
}

/** Also used by the clusters: /readyz is open to anonymous requests. */
export function answersReadyz(url: string, ca: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(`${url}/readyz`, { ca, timeout: 2000, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
