/**
 * `generate clusterpair NAME`: Stork's way with a manifest. Run against the destination, it prints a ClusterPair with that
 * cluster's kubeconfig, to be applied on the source. Nothing is asked of any server.
 */
import { readFile } from 'node:fs/promises';
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { checkName, checkNamespace } from '../check-names.ts';
import { defineCommand } from '../command.ts';
import { choice, pairs } from '../flag.ts';
import { renderStructure } from '../output/print-objects.ts';
import { clusterPairView } from '../output/views/cluster-pair-view.ts';
import { embedKubeconfig } from '../pairing/embed-kubeconfig.ts';
import { storkPairFlags } from '../pairing/stork-pair-flags.ts';

export const generateClusterPair = defineCommand({
  words: [['generate'], clusterPairView.words],
  summary: 'Prints a cluster pair with the kubeconfig of the current context, to apply on the other cluster.',
  explains:
    'What is printed holds your credentials, for everybody who can read the object. Prefer `pair create`, or `create clusterpair` with two kubeconfigs: they leave none behind.',
  positionals: { shown: 'NAME', min: 0, max: 1 },
  flags: {
    storageoptions: pairs({
      describes: "For a storage system's own pairing; without a driver that has one they are not used.",
      short: 's',
      value: 'KEY=VALUE',
    }),
    'project-mappings': storkPairFlags['project-mappings'],
    output: choice(['yaml', 'json'], { describes: 'How to print.', short: 'o', default: 'yaml' }),
  },
  examples: ['kubectl stork generate clusterpair west -n shop --context west | kubectl apply --context east -f -'],
  async run(context, { positionals: [name], flags }) {
    if (name === undefined)
      throw new StorkError({ code: 'BadUsage', message: 'exactly one name needs to be provided for clusterpair name' });
    const config = await context.clusterConfig();
    const namespace = context.givenNamespace ?? config.namespace ?? 'default';
    checkName(name);
    checkNamespace(namespace);
    const { storageoptions: options, 'project-mappings': projectMappings } = flags;
    const spec = {
      config: await embedKubeconfig(config, (path) => readFile(path, 'utf8')),
      ...(Object.keys(options).length === 0 ? {} : { options }),
      ...(Object.keys(projectMappings).length === 0 ? {} : { platformOptions: { rancher: { projectMappings } } }),
    };
    const { apiVersion, kind } = clusterPairs;
    context.print(renderStructure({ apiVersion, kind, metadata: { name, namespace }, spec }, flags.output));
    context.say(`This holds credentials of ${config.server}. Once the pair is Ready, spec.config can be removed.`);
    return 0;
  },
});
