import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TransformPath } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import { storkNames } from '../names.ts';
import { configMap, cronJob, deployment } from '../testing/sample-objects.ts';
import { transformObject } from '../transform/transform-object.ts';
import { parseTransformation } from './parse-transformation.ts';
import { transformByRules } from './transform-by-rules.ts';

const aPath = (path: Partial<TransformPath>): TransformPath => ({ path: 'spec.type', operation: 'modify', ...path });

const parsed = (resource: string, paths: readonly TransformPath[], selectors?: Readonly<Record<string, string>>) =>
  parseTransformation([{ resource, paths: [...paths], ...(selectors === undefined ? {} : { selectors }) }]);

function outcomeOf(object: AnyObject, resource: string, ...paths: readonly Partial<TransformPath>[]) {
  const transformation = parsed(resource, paths.map(aPath));
  assert.equal(transformation.valid, 'Yes', JSON.stringify(transformation));
  return transformByRules(object, { name: 'tuned', rules: transformation.valid === 'Yes' ? transformation.rules : [] });
}

function transformed(object: AnyObject, resource: string, ...paths: readonly Partial<TransformPath>[]): AnyObject {
  const outcome = outcomeOf(object, resource, ...paths);
  if (outcome.did !== 'Transform') assert.fail(JSON.stringify(outcome));
  return outcome.object;
}

const service: AnyObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop', labels: { app: 'web', [storkNames.migrated]: 'true' } },
  spec: { type: 'ClusterIP', externalIPs: ['10.0.0.1'], ports: [{ name: 'http', port: 80 }], selector: { app: 'web' } },
};
const asSent = (object: AnyObject) =>
  transformObject(object, { pairId: 'p', namespaces: ['shop'], serviceAddresses: 'Clear', registrations: [] });

describe('what a transformation makes of an object', () => {
  const cases: readonly (readonly [string, Partial<TransformPath>, (object: AnyObject) => unknown, unknown])[] = [
    ['a text', { path: 'spec.type', value: 'LoadBalancer' }, specOf('type'), 'LoadBalancer'],
    [
      'a number',
      { path: 'spec.healthCheckNodePort', value: '30100', type: 'int' },
      specOf('healthCheckNodePort'),
      30_100,
    ],
    [
      'a truth',
      { path: 'spec.publishNotReadyAddresses', value: 'true', type: 'bool' },
      specOf('publishNotReadyAddresses'),
      true,
    ],
    [
      'a list, added to',
      { path: 'spec.externalIPs', value: '10.0.0.2,10.0.0.3', type: 'slice' },
      specOf('externalIPs'),
      ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    ],
    [
      'a list, set',
      { path: 'spec.externalIPs', value: '10.0.0.2', type: 'slice', operation: 'add' },
      specOf('externalIPs'),
      ['10.0.0.2'],
    ],
    [
      'pairs, merged',
      { path: 'spec.selector', value: 'tier:front', type: 'keypair' },
      specOf('selector'),
      { app: 'web', tier: 'front' },
    ],
    [
      'pairs, set',
      { path: 'spec.selector', value: 'tier:front', type: 'keypair', operation: 'add' },
      specOf('selector'),
      { tier: 'front' },
    ],
    [
      'parents as needed',
      { path: 'spec.sessionAffinityConfig.clientIP.timeoutSeconds', value: '5', type: 'int', operation: 'add' },
      specOf('sessionAffinityConfig'),
      { clientIP: { timeoutSeconds: 5 } },
    ],
    [
      'an item by index',
      { path: '/spec/ports/0/port', value: '8080', type: 'int' },
      specOf('ports'),
      [{ name: 'http', port: 8080 }],
    ],
    ['a field gone', { path: 'spec.externalIPs', operation: 'delete' }, specOf('externalIPs'), undefined],
    ['what is not there, gone', { path: 'spec.nothing.here', operation: 'delete' }, specOf('nothing'), undefined],
    [
      'a key with dots',
      { path: '/metadata/labels/app.kubernetes.io~1tier', value: 'front', operation: 'add' },
      ({ metadata }) => metadata.labels?.['app.kubernetes.io/tier'],
      'front',
    ],
    [
      'steps of a JSON patch',
      {
        path: '/spec',
        operation: 'jsonpatch',
        value:
          '[{"op":"test","path":"/ports/0/port","value":80},{"op":"add","path":"/ports/-","value":{"port":81}},{"op":"remove","path":"/selector/app"}]',
      },
      ({ spec }) => spec,
      { type: 'ClusterIP', externalIPs: ['10.0.0.1'], ports: [{ name: 'http', port: 80 }, { port: 81 }], selector: {} },
    ],
    [
      'a field named like a prototype',
      { path: 'spec.selector.__proto__', value: 'x', operation: 'add' },
      ({ spec }) => JSON.stringify(spec).includes('"__proto__":"x"'),
      true,
    ],
  ];
  for (const [name, path, read, expected] of cases) {
    it(name, () => assert.deepEqual(read(transformed(service, '/v1/Service', path)), expected));
  }

  it('says by whom, and leaves its argument as it was', () => {
    const before = structuredClone(service);
    const object = transformed(service, '/v1/Service', { value: 'LoadBalancer' });
    assert.equal(object.metadata.annotations?.[storkNames.transformation], 'tuned');
    assert.deepEqual(service, before);
  });

  it('keeps what is Stork’s own when labels are replaced or removed as a whole', () => {
    const replaced = transformed(service, '/v1/Service', {
      path: 'metadata.labels',
      value: 'a:b',
      type: 'keypair',
      operation: 'add',
    });
    assert.deepEqual(replaced.metadata.labels, { a: 'b', [storkNames.migrated]: 'true' });
    const removed = transformed(service, '/v1/Service', { path: 'metadata.labels', operation: 'delete' });
    assert.deepEqual(removed.metadata.labels, { [storkNames.migrated]: 'true' });
  });

  it('touches only what it names, by group, kind and labels', () => {
    assert.equal(outcomeOf(configMap('shop'), '/v1/Service', {}).did, 'Nothing');
    const other = parsed('/v1/Service', [aPath({})], { app: 'db' });
    assert.deepEqual(transformByRules(service, { name: 't', rules: other.valid === 'Yes' ? other.rules : [] }), {
      did: 'Nothing',
    });
  });

  const misfits: readonly (readonly [string, string, Partial<TransformPath>, RegExp])[] = [
    [
      'a path through a text',
      '/v1/Service',
      { path: 'spec.type.deeper', value: 'x' },
      /\/spec\/type is neither an object nor a list/,
    ],
    [
      'a dotted path into a list',
      '/v1/Service',
      { path: 'spec.ports.port', value: 'x' },
      /JSON pointer, e\.g\. \/spec\/ports\/0/,
    ],
    [
      'an index beyond the list',
      '/v1/Service',
      { path: '/spec/ports/3/port', value: '1', type: 'int' },
      /list of 1 without an item "3"/,
    ],
    [
      'pairs where there are none',
      '/v1/Service',
      { path: 'spec.nothing', value: 'a:b', type: 'keypair' },
      /use operation add/,
    ],
    [
      'a failing test',
      '/v1/Service',
      { path: '/', operation: 'jsonpatch', value: '[{"op":"test","path":"/spec/type","value":"x"}]' },
      /not what the patch tests/,
    ],
    ['another version', '/v2/Service', {}, /travels as version v1/],
  ];
  for (const [name, resource, path, reason] of misfits) {
    it(`names ${name}`, () => {
      const outcome = outcomeOf(service, resource, path);
      assert.equal(outcome.did, 'NotFit');
      assert.match(outcome.did === 'NotFit' ? outcome.reason : '', reason);
    });
  }
});

describe('a transformation of what stops an application', () => {
  const replicas = { path: 'spec.replicas', value: '5', type: 'int' } as const;

  it('never starts it: the count is what activation brings', () => {
    const object = transformed(asSent(deployment('shop', { replicas: 3 })), 'apps/v1/Deployment', replicas);
    assert.deepEqual(replicaFacts(object), [0, '5']);
  });

  it('knows an application that shall have no replica', () => {
    const object = transformed(asSent(deployment('shop', { replicas: 3 })), 'apps/v1/Deployment', {
      ...replicas,
      value: '0',
    });
    assert.deepEqual(replicaFacts(object), [0, '0']);
  });

  it('keeps the count when the field is removed, and refuses what is none', () => {
    const removed = transformed(asSent(deployment('shop', { replicas: 3 })), 'apps/v1/Deployment', {
      path: 'spec.replicas',
      operation: 'delete',
    });
    assert.deepEqual(replicaFacts(removed), [0, '1']);
    const odd = outcomeOf(asSent(deployment('shop', {})), 'apps/v1/Deployment', {
      path: 'spec.replicas',
      value: 'many',
    });
    assert.equal(odd.did, 'NotFit');
  });

  it('keeps a CronJob asleep', () => {
    const object = transformed(asSent(cronJob('shop', { suspend: true })), 'batch/v1/CronJob', {
      path: 'spec.suspend',
      value: 'false',
      type: 'bool',
    });
    assert.equal(specOf('suspend')(object), true);
    assert.equal(object.metadata.annotations?.['stork.libopenstorage.org/spec.suspend'], 'false,true');
  });
});

describe('what is wrong with a transformation by itself', () => {
  const refusals: readonly (readonly [string, Partial<TransformPath>, RegExp])[] = [
    ['a name', { path: 'metadata.name', value: 'x' }, /only labels and annotations/],
    ['a namespace', { path: '/metadata/namespace', value: 'x' }, /only labels and annotations/],
    ['a uid', { path: 'metadata.uid', operation: 'delete' }, /only labels and annotations/],
    ['the kind', { path: 'kind', value: 'x' }, /kind is never transformed/],
    ['all metadata', { path: 'metadata', operation: 'delete' }, /metadata as a whole/],
    ['the whole object', { path: '/', operation: 'delete' }, /object as a whole/],
    ['our label', { path: '/metadata/labels/stork.libopenstorage.org~1migrated', value: 'x' }, /Stork's own/],
    [
      'our label among pairs',
      { path: 'metadata.labels', value: 'stork.libopenstorage.org/migrated:no', type: 'keypair', operation: 'add' },
      /Stork's own/,
    ],
    [
      'our annotation by a step',
      {
        path: '/',
        operation: 'jsonpatch',
        value: '[{"op":"remove","path":"/metadata/annotations/stork.libopenstorage.org~1source-uid"}]',
      },
      /step 0: .*Stork's own/,
    ],
    [
      'a name by a step under a base',
      { path: '/metadata', operation: 'jsonpatch', value: '[{"op":"replace","path":"/name","value":"x"}]' },
      /step 0: .*only labels/,
    ],
    [
      'a dotted key with dots',
      { path: 'metadata.labels.app.kubernetes.io/name', value: 'x' },
      /\/metadata\/labels\/app\.kubernetes\.io~1name/,
    ],
    ['a number that is none', { value: '3.5', type: 'int' }, /no whole number/],
    ['a truth that is none', { value: 'maybe', type: 'bool' }, /neither true nor false/],
    ['pairs that are none', { value: 'a', type: 'keypair' }, /no key:value/],
    ['an empty part', { path: 'spec..type' }, /empty part/],
    ['a lonely tilde', { path: '/spec/a~b' }, /tilde|~ stands alone/],
    ['a patch that is none', { operation: 'jsonpatch', value: 'x' }, /no list of JSON patch steps/],
    [
      'a step of another kind',
      { operation: 'jsonpatch', value: '[{"op":"move","from":"/a","path":"/b"}]' },
      /"move" is not carried out/,
    ],
  ];
  for (const [name, path, reason] of refusals) {
    it(`names ${name}`, () => {
      const result = parsed('/v1/Service', [aPath(path)]);
      assert.equal(result.valid, 'No');
      assert.match(result.valid === 'No' ? result.problems.join() : '', reason);
    });
  }

  it('names volumes, pods, and what of a claim does not travel', () => {
    const problems = (resource: string, path: string) => {
      const result = parsed(resource, [aPath({ path })]);
      return result.valid === 'No' ? result.problems.join() : '';
    };
    assert.match(problems('/v1/PersistentVolume', 'spec.x'), /transform the PersistentVolumeClaim/);
    assert.match(problems('/v1/Pod', 'spec.x'), /workload/);
    assert.match(problems('/v1/PersistentVolumeClaim', 'spec.volumeName'), /only \/metadata\/labels/);
    assert.equal(problems('/v1/PersistentVolumeClaim', 'spec.storageClassName'), '');
  });
});

function specOf(field: string): (object: AnyObject) => unknown {
  return ({ spec }) => new Map(Object.entries(Object(spec))).get(field);
}

const replicaFacts = (object: AnyObject) => [
  specOf('replicas')(object),
  object.metadata.annotations?.[storkNames.migrationReplicas],
];
