/** `create resourcetransformation -f FILE`: what changes on the way, checked by the agent at once. */
import { resourceTransformations } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { defineCommand } from '../command.ts';
import { createObject, creationFlags, fileFlag, readObject } from '../create-object.ts';
import { resourceTransformationView } from '../output/views/resource-transformation-view.ts';

export const createResourceTransformation = defineCommand({
  words: [['create'], resourceTransformationView.words],
  summary: 'Creates a resource transformation: changes to make to resources on their way to another cluster.',
  explains: 'The agent checks it at once against what is in the namespace: see `get resourcetransformation -o wide`.',
  flags: { ...creationFlags, file: fileFlag },
  examples: ['kubectl stork create resourcetransformation -n shop -f load-balancer.yaml'],
  async run(context, { flags }) {
    if (flags.file === undefined) {
      const hint = "See 'kubectl stork create resourcetransformation --help' for usage.";
      throw new StorkError({ code: 'BadUsage', message: '-f FILE is needed', hint });
    }
    const given = await readObject(resourceTransformations, flags.file, context);
    const place = context.givenNamespace ?? given.metadata.namespace ?? (await context.cluster()).namespace;
    const object = { ...given, metadata: { ...given.metadata, namespace: place } };
    await createObject(resourceTransformationView, context, {
      object,
      dryRun: flags['dry-run'],
      format: flags.output,
      says: `Resource transformation ${object.metadata.name} created successfully`,
    });
    return 0;
  },
});
