/**
 * The whole bed: `bringUp`, `bringDown`, `observeBed`. At most one bed per
 * state folder; commands on it wait for one another.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ensureImage } from '../images/images.ts';
import { startDns } from './addons.ts';
import { answersReadyz } from './apiserver.ts';
import {
  allBinaries,
  ensureBinaries,
  kubernetesVersion,
  type OlderMinor,
  olderVersions,
  type Report,
  withOlderKubernetes,
} from './binaries.ts';
import { ensureBedCgroup, findLeftCgroups, killBedCgroup, listBedProcesses, removeBedCgroups } from './cgroups.ts';
import { type StartedCluster, startCluster } from './cluster.ts';
import { createDaemons, findDaemon, listDaemons } from './daemons.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { isAlive, withLock } from './lock.ts';
import { detachLoopDevices, listLoopDevices } from './loop-devices.ts';
import { createNetwork, createPodRoutes, findNetworkLeftovers, removeNetwork } from './network.ts';
import { enterNode, importImage, waitFor } from './node.ts';
import { csiDriverName } from './node-configs.ts';
import { clusterPlace, findPlaces, kubeconfigPlace, logPlace, nodePlace, type Places, thisBed } from './places.ts';
import { listClusters, listNodes, serverUrl } from './plan.ts';
import { requirePackages } from './require-packages.ts';
import { CommandFailed } from './run-command.ts';
import { claimHost, releaseHost } from './shared-host.ts';
import { ensureSnapshotCrds } from './snapshot-crds.ts';
import { startStorage } from './storage.ts';

export interface UpOptions {
  readonly report: Report;
  readonly audit?: 'On' | 'Off';
  /** An older Kubernetes for cluster b. */
  readonly minorOfB?: OlderMinor | undefined;
}

export type BedState = 'Up' | 'Broken' | 'Down';

const readyLimitMs = 180_000;
const readyMark = 'ready';

/**
 * Returns at once on a healthy bed; a broken one is taken down first and its data are lost. A bed that runs stays what it
 * is: asked for another version of b, it throws.
 */
export async function bringUp({ report, audit = 'Off', minorOfB }: UpOptions): Promise<void> {
  const places = findPlaces();
  await requirePackages();
  const binaries = await ensureBinaries(allBinaries, report);
  const ofB = minorOfB === undefined ? binaries : await withOlderKubernetes(binaries, minorOfB, report);
  const pause = await ensureImage('pause', report);
  const snapshotCrds = await ensureSnapshotCrds();
  await locked(places, report, async () => {
    const state = await observeState(places);
    if (state === 'Up') {
      await reportUp(places, minorOfB, report);
      return;
    }
    if (state === 'Broken') {
      report('the test bed is broken (a process or an API server is gone): starting it anew');
      await takeDown(places, report);
    }
    const startedAt = Date.now();
    const since = () => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
    const plan = thisBed();
    await mkdir(places.state, { recursive: true });
    await chmod(places.state, 0o700);
    await claimHost(places.state);
    await createNetwork(plan);
    const daemons = createDaemons(places.state, await ensureBedCgroup());
    const started = await Promise.all(
      listClusters(plan).map(async (cluster) => {
        const inputs = { places, binaries: cluster.name === 'b' ? ofB : binaries, daemons, cluster, report, audit };
        const running = await startCluster(inputs);
        report(`[${since()}] cluster ${cluster.name}: control plane ready, kubelets started`);
        await Promise.all(running.nodes.map(({ prepared }) => importImage(prepared.enter, pause)));
        await startDns(inputs, running);
        await startStorage({ ...inputs, snapshotCrds }, running);
        return running;
      }),
    );
    await createPodRoutes(plan);
    await writeKubeconfig(
      kubeconfigPlace(places),
      started.map(({ kubeconfig }) => kubeconfig),
    );
    for (const running of started) {
      await waitForNodes(places, running);
      report(`[${since()}] cluster ${running.cluster.name}: nodes Ready`);
    }
    await writeFile(join(places.state, readyMark), versionOfB(minorOfB));
  });
}

const versionOfB = (minor: OlderMinor | undefined): string =>
  minor === undefined ? kubernetesVersion : olderVersions[minor];

async function reportUp(places: Places, minorOfB: OlderMinor | undefined, report: Report): Promise<void> {
  const running = await readFile(join(places.state, readyMark), 'utf8');
  if (minorOfB !== undefined && running !== versionOfB(minorOfB))
    throw new Error(`cluster b of the test bed runs ${running || kubernetesVersion}: npm run testbed -- down first`);
  const isOlder = running !== '' && running !== kubernetesVersion;
  report(`the test bed is up already${isOlder ? `, cluster b with ${running}` : ''}`);
}

/** Stops and removes everything; works on a half-built or killed bed, and on none. */
export async function bringDown(report: Report): Promise<void> {
  const places = findPlaces();
  await locked(places, report, () => takeDown(places, report));
}

/**
 * Imports an archive into every node that has not got this very content under the archive's name.
 * @param archive docker archive or OCI layout, as a tar.
 */
export async function loadImage(archive: string): Promise<void> {
  const places = findPlaces();
  if (!existsSync(archive)) throw new Error(`there is no file ${archive}`);
  const content = await contentMark(places, archive);
  await Promise.all(
    listNodes(thisBed()).map(async (node) => {
      const holder = await findDaemon(places.state, `${node.name}-holder`);
      if (holder === undefined) throw new Error(`node ${node.name} does not run: npm run testbed -- up`);
      const mark = join(nodePlace(places, node.name), `loaded-${basename(archive)}`);
      if ((await readFile(mark, 'utf8').catch(() => undefined)) === content) return;
      await importImage(enterNode(holder.pid), archive);
      await writeFile(mark, content);
    }),
  );
}

/** An archive of our image cache never changes under its name. */
async function contentMark(places: Places, archive: string): Promise<string> {
  if (archive.startsWith(join(places.cache, 'images'))) return basename(archive);
  const hash = createHash('sha256');
  await pipeline(createReadStream(archive), hash);
  return hash.digest('hex');
}

export async function observeState(places: Places): Promise<BedState> {
  const daemons = await listDaemons(places.state);
  if (daemons.length === 0 && (await findLeftovers(places)).length === 0) return 'Down';
  if (!existsSync(join(places.state, readyMark)) || !daemons.every(isAlive)) return 'Broken';
  const answers = await Promise.all(
    listClusters(thisBed()).map(async (cluster) => {
      const ca = await readFile(join(clusterPlace(places, cluster.name), 'pki', 'ca.crt'));
      return answersReadyz(serverUrl(cluster), ca);
    }),
  );
  return answers.every(Boolean) ? 'Up' : 'Broken';
}

/** Everything of a bed that is still on this machine, in words; empty after `down`. */
export async function findLeftovers(places: Places): Promise<readonly string[]> {
  const processes = await listBedProcesses();
  const network = await findNetworkLeftovers(thisBed());
  const loops = await listLoopDevices(loopFolders(places));
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(places.state));
  return [
    ...processes.map((pid) => `process ${pid}`),
    ...network.map((line) => `network: ${line}`),
    ...loops.map((line) => `loop device: ${line}`),
    ...mounts.map((line) => `mount: ${line}`),
    ...(await findLeftCgroups()).map((folder) => `cgroup: ${folder}`),
    ...(existsSync(places.state) ? [`folder: ${places.state}`] : []),
  ];
}

/** Fails at once when a program of the bed ended, with the end of its log. */
async function waitForNodes(places: Places, { cluster, kubectl }: StartedCluster): Promise<void> {
  const nodes = cluster.nodes.map((node) => `node/${node.name}`);
  const isReady = async () => {
    const dead = (await listDaemons(places.state)).find((daemon) => !isAlive(daemon));
    if (dead !== undefined) {
      const log = await readFile(join(logPlace(places), `${dead.name}.log`), 'utf8');
      throw new Error(`${dead.name} ended:\n${log.slice(-2000)}`);
    }
    const csiNodes = nodes.map((node) => `csi${node}`);
    const registered = `--for=jsonpath={.spec.drivers[0].name}=${csiDriverName}`;
    try {
      await kubectl(['wait', '--for=condition=Ready', '--timeout=2s', ...nodes]);
      await kubectl(['wait', registered, '--timeout=2s', ...csiNodes]);
      return true;
    } catch (error) {
      if (error instanceof CommandFailed) return false;
      throw error;
    }
  };
  await waitFor(`cluster ${cluster.name}'s nodes`, isReady, readyLimitMs);
}

async function takeDown(places: Places, report: Report): Promise<void> {
  await killBedCgroup();
  await waitFor('the loop devices', async () => {
    await detachLoopDevices(loopFolders(places));
    return (await listLoopDevices(loopFolders(places))).length === 0;
  });
  // Again until nothing is left of either: what died a moment ago holds on to them, and another bed's commands come in between.
  await waitFor('an end of the network and the cgroups', async () => {
    await removeNetwork(thisBed());
    await removeBedCgroups();
    return (await findNetworkLeftovers(thisBed())).length + (await findLeftCgroups()).length === 0;
  });
  await releaseHost(places.state);
  await rm(places.state, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  const left = await findLeftovers(places);
  if (left.length > 0) throw new Error(`the test bed left something behind:\n  ${left.join('\n  ')}`);
  report('the test bed is down; nothing is left of it');
}

/** The CSI driver keeps volumes in a folder with the bed's name, for this. */
function loopFolders(places: Places): readonly string[] {
  return [`${places.state}/`, `/${thisBed().name}/`];
}

function locked<T>(places: Places, report: Report, action: () => Promise<T>): Promise<T> {
  return withLock(
    `${places.state}.lock`,
    (pid) => report(`process ${pid} works on the test bed: waiting for it`),
    action,
  );
}
