/**
 * Finds or builds the programs of a cluster: the control plane, the kubelet,
 * the CSI sidecars, the test driver and CoreDNS; and the S3 server that stores are tested on.
 *
 * Looked for in KUBEBUILDER_ASSETS, then PATH, then the cache; what is missing
 * is built from the Go modules beside this file into the cache, one folder per
 * module, keyed by its content. Concurrent callers wait for one build.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { withLock } from './lock.ts';
import { findPlaces } from './places.ts';
import { CommandFailed, runCommand } from './run-command.ts';

export const kubernetesVersion = 'v1.36.3';

/** What cluster b may run instead, by the minor: a control plane and kubelets from a Go module of their own. */
export const olderVersions = { '1.34': 'v1.34.4' } as const;
export type OlderMinor = keyof typeof olderVersions;

/** Names under which the one multi-call binary is called. */
const multiCallNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
] as const;

const sidecarNames = [
  'csi-provisioner',
  'csi-attacher',
  'csi-resizer',
  'csi-snapshotter',
  'snapshot-controller',
  'csi-sanity',
] as const;

export type BinaryName =
  | (typeof multiCallNames)[number]
  | (typeof sidecarNames)[number]
  | 'coredns'
  | 'csi-driver'
  | 'pause'
  | 'versitygw'
  | 'rest-server'
  | 'fake-gcs-server';

/** What a bare API server needs; people with KUBEBUILDER_ASSETS build nothing for it. */
export const apiServerBinaries: readonly BinaryName[] = ['etcd', 'kube-apiserver', 'kubectl'];

export const allBinaries: readonly BinaryName[] = [
  ...multiCallNames,
  ...sidecarNames,
  'coredns',
  'csi-driver',
  'pause',
];

/** Servers that the repository's stores are tested on. */
export const storeBinaries: readonly BinaryName[] = ['versitygw', 'rest-server'];

export interface Binaries {
  path(name: BinaryName): string;
}

export type Report = (line: string) => void;

interface Build {
  readonly what: string;
  readonly names: readonly BinaryName[];
  /** Folder of the Go module, beside this file. */
  readonly module: string;
  readonly packages: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The file that go build makes, when `names` are links to it. */
  readonly linksTo?: string;
  /** Of Kubernetes, when it is not the bed's own. */
  readonly version?: string;
}

/** etcd, kubectl and the sidecars stay the bed's own. A kubelet must not be newer than its API server. */
const olderNames = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
] as const satisfies readonly BinaryName[];

const builds: readonly Build[] = [
  {
    what: `Kubernetes ${kubernetesVersion} and etcd (about 6 minutes on 2 cores the first time)`,
    names: multiCallNames,
    module: 'go',
    packages: ['.'],
    env: {},
    linksTo: 'testbed',
  },
  { what: 'the CSI sidecars', names: sidecarNames, module: 'go', packages: ['tool'], env: {} },
  {
    what: 'CoreDNS',
    names: ['coredns'],
    module: 'go-dns',
    packages: ['.'],
    env: { CGO_ENABLED: '0' },
    linksTo: 'testbed-dns',
  },
  {
    what: 'the CSI test driver',
    names: ['csi-driver', 'pause'],
    module: 'csi-driver',
    packages: ['./...'],
    env: { CGO_ENABLED: '0' },
  },
  {
    what: 'the S3 server (about a minute the first time)',
    names: ['versitygw'],
    module: 'go-stores',
    packages: ['tool'],
    env: { CGO_ENABLED: '0' },
  },
  {
    what: "restic's REST server (half a minute the first time)",
    names: ['rest-server'],
    module: 'go-rest',
    packages: ['tool'],
    env: { CGO_ENABLED: '0' },
  },
  {
    what: 'the server of Google Cloud Storage (two minutes the first time)',
    names: ['fake-gcs-server'],
    module: 'go-gcs',
    packages: ['tool'],
    env: { CGO_ENABLED: '0' },
  },
];

/** @param report receives one line per step. */
export async function ensureBinaries(names: readonly BinaryName[], report: Report = () => {}): Promise<Binaries> {
  const found = new Map<BinaryName, string>();
  for (const name of names) {
    const path = findInstalled(name);
    if (path !== undefined) found.set(name, path);
  }
  for (const build of builds) {
    const wanted = build.names.filter((name) => names.includes(name) && !found.has(name));
    if (wanted.length === 0) continue;
    const folder = await ensureBuilt(build, wanted, report);
    for (const name of wanted) found.set(name, join(folder, name));
  }
  return {
    path(name) {
      const path = found.get(name);
      if (path === undefined) throw new Error(`${name} was not asked for in ensureBinaries`);
      return path;
    },
  };
}

/** The same programs but for the control plane and the kubelets, which are those of an older Kubernetes. */
export async function withOlderKubernetes(
  binaries: Binaries,
  minor: OlderMinor,
  report: Report = () => {},
): Promise<Binaries> {
  const version = olderVersions[minor];
  const build: Build = {
    what: `Kubernetes ${version} (about 6 minutes on 2 cores the first time)`,
    names: olderNames,
    module: `go-${minor}`,
    packages: ['.'],
    env: {},
    linksTo: 'testbed-older',
    version,
  };
  const folder = await ensureBuilt(build, olderNames, report);
  const isOlder = (name: BinaryName) => olderNames.some((older) => older === name);
  return { path: (name) => (isOlder(name) ? join(folder, name) : binaries.path(name)) };
}

/**
 * Control plane parts only, and from PATH only beside a kube-apiserver: a distribution's lone etcd or kubectl is
 * years older. Sidecars and our own programs are always ours, so that their flags fit.
 */
function findInstalled(name: BinaryName): string | undefined {
  if (!multiCallNames.some((known) => known === name)) return undefined;
  return [process.env.KUBEBUILDER_ASSETS ?? '', ...(process.env.PATH ?? '').split(delimiter)]
    .filter((folder) => folder !== '' && existsSync(join(folder, 'kube-apiserver')))
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

async function ensureBuilt(build: Build, names: readonly BinaryName[], report: Report): Promise<string> {
  const folder = join(findPlaces().cache, 'bin', `${build.module}-${await contentKey(build)}`);
  const isComplete = () => names.every((name) => existsSync(join(folder, name)));
  if (isComplete()) return folder;
  await withLock(
    `${folder}.lock`,
    (pid) => report(`process ${pid} is building the cluster's programs: waiting for it`),
    async () => {
      if (!isComplete()) await buildInto(folder, build, report);
    },
  );
  return folder;
}

async function buildInto(folder: string, build: Build, report: Report): Promise<void> {
  const goVersion = await findGo();
  const startedAt = Date.now();
  report(`building ${build.what} with ${goVersion} into ${folder}`);
  await mkdir(folder, { recursive: true });
  await goBuild(build, folder);
  for (const name of build.linksTo === undefined ? [] : build.names) {
    await rm(join(folder, name), { force: true });
    await symlink(build.linksTo ?? '', join(folder, name));
  }
  report(`built in ${Math.round((Date.now() - startedAt) / 1000)} s`);
}

/** Builds into a temporary folder first: a killed build leaves no half binary under its final name. */
async function goBuild(build: Build, folder: string): Promise<void> {
  const target = `${folder}.building`;
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  const flags = [
    'build',
    '-trimpath',
    '-buildvcs=false',
    `-ldflags=${linkerFlags(build.version ?? kubernetesVersion)}`,
    '-o',
    `${target}/`,
  ];
  await runCommand('go', [...flags, ...build.packages], {
    cwd: join(import.meta.dirname, build.module),
    env: { GOFLAGS: '-mod=readonly', ...build.env },
    timeoutMs: 3_600_000,
  });
  for (const name of await readdir(target)) await rename(join(target, name), join(folder, name));
  await rm(target, { recursive: true, force: true });
}

/** Without the version an API server reports v0.0.0, and clients misjudge what it serves. */
function linkerFlags(version: string): string {
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  const variable = 'k8s.io/component-base/version';
  return `-s -w -X ${variable}.gitVersion=${version} -X ${variable}.gitMajor=${major} -X ${variable}.gitMinor=${minor}`;
}

async function findGo(): Promise<string> {
  try {
    return (await runCommand('go', ['env', 'GOVERSION'])).trim();
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new Error(
      "The cluster's programs are neither in KUBEBUILDER_ASSETS nor in PATH nor in the cache, and there is no Go to build them.\n" +
        'Install Go ≥ 1.21 (it fetches the 1.26 it needs), or, for the API server alone, set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl.',
      { cause: error },
    );
  }
}

/** Changes with any source of the module, the platform and the version. */
async function contentKey({ module, version = kubernetesVersion }: Build): Promise<string> {
  const root = join(import.meta.dirname, module);
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${version}`);
  const files = (await readdir(root, { recursive: true })).filter((file) => /\.(go|mod|sum)$/.test(file)).sort();
  for (const file of files) hash.update(`\0${file}\0`).update(await readFile(join(root, file)));
  return hash.digest('hex').slice(0, 16);
}
