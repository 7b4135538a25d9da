/** What collecting promises, on any API server; part of resources.suite.ts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject, Resource } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { storkNames } from '../names.ts';
import { orderObjects } from '../order-objects.ts';
import type { ResourcesWorld } from '../resources.suite.ts';
import { anyOf, configMap, cronJob, deployment } from '../testing/sample-objects.ts';
import { collectResources } from './collect-resources.ts';

const deployments: Resource = anyOf(core.deployments);
const configMaps: Resource = anyOf(core.configMaps);
const cronJobs: Resource = anyOf(core.cronJobs);

export function describeCollecting(name: string, world: () => ResourcesWorld): void {
  describe(`collecting on ${name}`, () => {
    it('takes along what belongs to the namespace, in the order in which it can be made', async () => {
      const namespace = await world().freshNamespace();
      const { client } = world();
      await client.create(deployments, deployment(namespace, {}));
      await client.create(configMaps, configMap(namespace));
      await client.create(configMaps, { ...configMap(namespace), metadata: { name: 'kube-root-ca.crt', namespace } });
      await client.create(cronJobs, cronJob(namespace, {}));
      const collected = await collectResources({ client }, { namespaces: [namespace], registrations: [] });
      const waves = orderObjects(collected.objects).map((wave) => wave.map((object) => object.kind));
      assert.deepEqual(waves, [['Namespace'], ['ConfigMap'], ['CronJob', 'Deployment']]);
      assert.deepEqual(
        collected.skipped.map(({ ref, reason }) => [ref.name, reason]),
        [['kube-root-ca.crt', 'every cluster makes its own']],
      );
      assert.deepEqual(collected.unreadable, []);
    });

    it('takes what selectors, exclusions and annotations leave', async () => {
      const namespace = await world().freshNamespace();
      const { client } = world();
      const labelled = (objectName: string, metadata: Readonly<Record<string, unknown>>): AnyObject => ({
        ...configMap(namespace),
        metadata: { name: objectName, namespace, ...metadata },
      });
      await client.create(configMaps, labelled('a', { labels: { app: 'x' } }));
      await client.create(configMaps, labelled('b', { labels: { app: 'x', tier: 'old' } }));
      await client.create(configMaps, labelled('c', { labels: { app: 'y' } }));
      await client.create(
        configMaps,
        labelled('d', { labels: { app: 'x' }, annotations: { [storkNames.skipResource]: 'true' } }),
      );
      const request = { namespaces: [namespace], registrations: [], selectors: { app: 'x' } };
      const names = async (more: { readonly excludeResourceTypes?: readonly string[] }) => {
        const excludeSelectors = { tier: 'old' };
        const collected = await collectResources({ client }, { ...request, excludeSelectors, ...more });
        return collected.objects.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name);
      };
      assert.deepEqual(await names({}), ['a']);
      assert.deepEqual(await names({ excludeResourceTypes: ['configmap', 'NoSuchKind'] }), []);
    });
  });
}
