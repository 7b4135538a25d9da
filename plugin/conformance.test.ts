/** Stork's conformance ids of the command line: K1 get, K2 and K3 create, K11 activate and deactivate. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults, type Kind } from '../crds/schema/index.ts';
import {
  actions,
  applicationRegistrations,
  clusterPairs,
  migrations,
  resourceTransformations,
  rules,
} from '../crds/v1alpha1/index.ts';
import type { KubeObject } from '../kube/client/client.ts';
import { assertGolden, type TerminalWorld, terminalWorld } from './terminal-world.ts';

const v1 = 'stork.libopenstorage.org/v1alpha1';
const action = { type: 'command', background: false, runInSinglePod: false, value: 'sync', onError: 'Fail' } as const;

interface Shown {
  readonly word: string;
  readonly kind: Kind<KubeObject, KubeObject>;
  readonly fields: Readonly<Record<string, unknown>>;
}

const shown: readonly Shown[] = [
  {
    word: 'migration',
    kind: migrations,
    fields: {
      spec: { clusterPair: 'remotecluster', namespaces: ['mysql'] },
      status: { stage: 'Final', status: 'Successful', finishTimestamp: '2019-07-09T02:05:16Z' },
    },
  },
  { word: 'clusterpair', kind: clusterPairs, fields: { spec: {}, status: { storageStatus: 'Ready' } } },
  { word: 'rule', kind: rules, fields: { rules: [{ podSelector: { app: 'mysql' }, actions: [action] }] } },
  {
    word: 'resourcetransformation',
    kind: resourceTransformations,
    fields: {
      specs: {
        transformSpecs: [
          { resource: '/v1/Service', paths: [{ path: 'spec.type', value: 'NodePort', operation: 'modify' }] },
        ],
      },
      status: { status: 'Ready' },
    },
  },
  {
    word: 'applicationregistration',
    kind: applicationRegistrations,
    fields: {
      resources: [
        { group: 'example.com', version: 'v1', kind: 'Queue', suspendOptions: { path: 'spec.replicas', type: 'int' } },
      ],
    },
  },
];

function seed({ servers }: TerminalWorld, { kind }: Shown, object: Pick<KubeObject, 'metadata'>) {
  servers.east.seed(kind, applyDefaults(kind.schema, { apiVersion: v1, kind: kind.kind, ...object }));
}

function named(
  { kind, fields }: Shown,
  name: string,
  namespace: string,
  labels: Readonly<Record<string, string>> = {},
) {
  const place = kind.namespaced ? { namespace } : {};
  return { metadata: { name, ...place, labels, creationTimestamp: '2019-07-09T02:04:00Z' }, ...fields };
}

describe('get', () => {
  for (const each of shown)
    it(`K1: ${each.word}: none, one, many, by label, in all namespaces, as names, JSON and YAML`, async () => {
      const world = terminalWorld();
      const { word } = each;
      await world.run(`get ${word} -n mysql`);
      seed(world, each, named(each, 'first', 'mysql', { app: 'mysql' }));
      await world.run(`get ${word} -n mysql`);
      await world.run(`get ${word} first -n mysql`);
      seed(world, each, named(each, 'second', 'mysql'));
      seed(world, each, named(each, 'third', 'web'));
      await world.run(`get ${word} -n mysql`);
      await world.run(`get ${word} first second -n mysql`);
      await world.run(`get ${word} -n mysql -l app=mysql`);
      await world.run(`get ${word} -A`);
      await world.run(`get ${word} -n mysql -o name`);
      await world.run(`get ${word} first nope -n mysql`);
      await assertGolden(`get-${word}.txt`, world.transcript());
      for (const format of ['json', 'yaml']) {
        const printed = terminalWorld();
        seed(printed, each, named(each, 'first', 'mysql'));
        seed(printed, each, named(each, 'second', 'mysql'));
        await printed.run(`get ${word} -n mysql -o ${format}`);
        assert.match(printed.transcript(), /kind"?: "?List/);
        await printed.run(`get ${word} first -n mysql -o ${format}`);
        assert.match(printed.transcript(), new RegExp(`kind"?: "?${each.kind.kind}`));
      }
    });
});

describe('create', () => {
  it('K2: names what is missing or wrong, one sentence each', async () => {
    const world = terminalWorld();
    await world.run('create migration --namespaces mysql -c remotecluster');
    await world.run('create migration m1 --namespaces mysql');
    await world.run('create migration m1 -c remotecluster');
    await world.run('create migration m1 -c remotecluster --namespaces mysql --selectors app');
    await world.run('create rule r1');
    await world.run('create clusterpair');
    await world.run('create migration -f -', { stdin: `apiVersion: ${v1}\nkind: Migration\nspec: {clusterPair: c}\n` });
    await world.run('create migration -f -', {
      stdin: `apiVersion: ${v1}\nkind: Migration\nmetadata: {name: m}\nspec: {clusterPair: c, namespaces: [a], includeVolumes: maybe}\n`,
    });
    await world.run('create rule -f -', {
      stdin: `apiVersion: ${v1}\nkind: Rule\nmetadata: {name: r}\nrules: [{actions: [{type: command, background: true, value: sleep}]}]\n`,
    });
    await assertGolden('create-mistakes.txt', world.transcript());
  });

  it('K3: an object that is there is told in the words of the API server', async () => {
    const world = terminalWorld();
    for (const line of [
      'create migration m1 -c remotecluster --namespaces default',
      'create rule r1 --pod-selector app=db --command sync',
    ]) {
      await world.run(line);
      assert.equal(await world.run(line), 1);
    }
    assert.match(world.transcript(), /\(AlreadyExists\): migrations.stork.libopenstorage.org "m1" already exists/);
    assert.match(world.transcript(), /\(AlreadyExists\): rules.stork.libopenstorage.org "r1" already exists/);
  });
});

describe('activate and deactivate', () => {
  for (const verb of ['activate', 'deactivate'] as const)
    it(`K11: ${verb} asks by an Action and repeats Stork's messages`, async () => {
      const world = terminalWorld();
      const client = world.servers.east.client();
      const running = world.run(`${verb} migration -n default`);
      await world.settle();
      const [asked] = world.servers.east.objects().filter(({ kind }) => kind === 'Action');
      assert.ok(asked !== undefined);
      const key = { namespace: 'default', name: asked.metadata.name };
      const { spec } = await client.get(actions, key);
      assert.equal(spec.actionType, verb);
      const told = `Updated replicas for deployment mysql/mysql to ${verb === 'activate' ? 3 : 0}`;
      const status = { stage: 'Final', status: 'Successful', reason: '1 of 1 namespaces', messages: [told] };
      await client.patch(actions, key, { type: 'merge', body: { status } }, { subresource: 'status' });
      await world.settle();
      assert.equal(await running, 0);
      assert.ok(world.transcript().includes(told));
    });
});
