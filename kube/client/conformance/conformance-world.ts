/** What each part of the suite stands on: a client, a fresh namespace, and small objects to play with. */
import { after, before } from 'node:test';
import { ApiError } from '../../errors.ts';
import type { KubeClient, WatchEvent } from '../client.ts';
import { type ConfigMap, core, type Deployment, type Pod } from '../core.ts';

export interface ConformanceWorld {
  /** A cluster admin's. */
  readonly client: KubeClient;
  /** May do nothing at all. */
  readonly powerlessUser: string;
  /** Makes resourceVersion 1 too old to watch from; a real server never knew it of a kind defined later. */
  expireHistory(): void;
  close(): Promise<void>;
}

type Containers = NonNullable<Pod['spec']>['containers'];

export type MakeWorld = () => Promise<ConformanceWorld>;

export interface Stage extends ConformanceWorld {
  /** Made for this stage alone, with the ServiceAccount that pods need. */
  readonly namespace: string;
  configMap(name: string, fields?: Partial<ConfigMap>): ConfigMap;
  deployment(name: string, containers?: Containers): Deployment;
  pod(name: string, nodeName?: string): Pod;
}

/** Sets the stage before the tests of the surrounding `describe`; the returned function answers it inside them. */
export function setStage(makeWorld: MakeWorld): () => Stage {
  let stage: Stage | undefined;
  before(async () => {
    stage = await createStage(await makeWorld());
  });
  after(() => stage?.close());
  return () => {
    if (stage === undefined) throw new Error('the stage is set inside tests only');
    return stage;
  };
}

async function createStage(world: ConformanceWorld): Promise<Stage> {
  const { client } = world;
  const made = await client.create(core.namespaces, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: '', generateName: 'conformance-' },
  });
  const namespace = made.metadata.name;
  await client.create(core.serviceAccounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace },
  });
  const sleeper = [{ name: 'main', image: 'sleep:1' }];
  return {
    ...world,
    namespace,
    configMap: (name, fields = {}) => ({
      ...{ apiVersion: 'v1', kind: 'ConfigMap' },
      ...fields,
      metadata: { ...fields.metadata, name, namespace },
    }),
    deployment: (name, containers = sleeper) => ({
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace } },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: { containers } },
      },
    }),
    pod: (name, nodeName) => ({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace } },
      spec: { containers: sleeper, nodeName },
    }),
  };
}

/** The ApiError of a call that must be refused. */
export async function refusalOf(call: Promise<unknown>): Promise<ApiError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('the call was not refused');
}

/** The next events other than bookmarks. */
export async function take<T>(events: AsyncIterator<WatchEvent<T>>, count: number): Promise<readonly WatchEvent<T>[]> {
  const taken: WatchEvent<T>[] = [];
  while (taken.length < count) {
    const next = await events.next();
    if (next.done === true) throw new Error(`the watch ended after ${taken.length} of ${count} events`);
    if (next.value.type !== 'BOOKMARK') taken.push(next.value);
  }
  return taken;
}

/** Calls until it answers something, for what a server does a moment later. */
export async function eventually<T>(observe: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const seen = await observe();
    if (seen !== undefined) return seen;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it did not happen');
}

export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
