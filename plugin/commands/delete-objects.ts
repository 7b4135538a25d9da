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
        const look = { signal: context.signal };
        // `get` for the server's own words about a missing one.
        const found = await (flags['ignore-not-found']
          ? client.find(view.kind, key, look)
          : client.get(view.kind, key, look));
        if (found === undefined) continue;
        const left = await client.delete(view.kind, key, { uid: found.metadata.uid, ...look });
        const lingers = left?.metadata.deletionTimestamp !== undefined;
        context.print(`${view.title} ${name} ${lingers ? 'is being deleted' : 'deleted successfully'}`);
      }
      return 0;
    },
  });
}
