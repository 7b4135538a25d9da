/** `create clusterpair -f FILE`: Stork's manifests too. Pairing itself is `kubectl stork pair`. */
import { clusterPairs } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { defineCommand } from '../command.ts';
import { createObject, creationFlags, fileFlag, readObject } from '../create-object.ts';
import { clusterPairView } from '../output/views/cluster-pair-view.ts';

export const createClusterPair = defineCommand({
  words: [['create'], clusterPairView.words],
  summary: 'Creates a cluster pair from a file; `kubectl stork pair create` makes one without a file.',
  flags: { ...creationFlags, file: fileFlag },
  examples: ['kubectl stork create clusterpair -n shop -f clusterpair.yaml', 'kubectl stork pair create EAST WEST'],
  async run(context, { flags }) {
    if (flags.file === undefined) {
      const hint = 'To pair two clusters: kubectl stork pair create CONTEXT CONTEXT, or pair accept and pair join.';
      throw new StorkError({ code: 'BadUsage', message: 'required flag not set: -f FILE', hint });
    }
    const given = await readObject(clusterPairs, flags.file, context);
    const namespace = context.givenNamespace ?? given.metadata.namespace ?? (await context.cluster()).namespace;
    const object = { ...given, metadata: { ...given.metadata, namespace } };
    await createObject(clusterPairView, context, {
      object,
      dryRun: flags['dry-run'],
      format: flags.output,
      says: `ClusterPair ${object.metadata.name} created successfully`,
    });
    return 0;
  },
});
