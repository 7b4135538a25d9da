/** `delete KIND NAME...`. */
import type { KubeObject } from '../../kube/client/client.ts';
import { type Command, defineCommand } from '../command.ts';
import { toggle } from '../flag.ts';
import type { ObjectView } from '../output/object-view.ts';

export function deleteObjects<T extends KubeObject>(view: ObjectView<T>): Command {
  const [word] = view.words;
  return defineCommand({
    words: [['delete'], view.words],
    summary: `Deletes ${view.title.toLowerCase()}s.`,
    positionals: { shown: 'NAME...', min: 1, max: Number.POSITIVE_INFINITY, completes: view.completes },
    flags: {
      'ignore-not-found': toggle({ describes: "A name that doesn't exist is no error." }),
    },
    examples: [`kubectl stork delete ${word} NAME -n shop`],
    async run(context, { positionals, flags }) {
      const { client, namespace } = await context.cluster();
      for (const name of positionals) {
        const key = { namespace: view.kind.namespaced ? namespace : undefined, name };
        // The server's own words for a missing one.
        if (!flags['ignore-not-found']) await client.get(view.kind, key, { signal: context.signal });
        const left = await client.delete(view.kind, key, { signal: context.signal });
        const lingers = left?.metadata.deletionTimestamp !== undefined;
        context.print(`${view.title} ${name} ${lingers ? 'is being deleted' : 'deleted successfully'}`);
      }
      return 0;
    },
  });
}
