/** `describe KIND/NAME`: what an object's status, conditions and events tell, in one page. */
import type { KubeClient, KubeObject, Resource } from '../../kube/client/client.ts';
import { core, type Event } from '../../kube/client/core.ts';
import { defineCommand } from '../command.ts';
import { readNamedObject } from '../named-object.ts';
import { eventsSection } from '../output/tell/section.ts';
import { tellClusterPair } from '../output/tell/tell-cluster-pair.ts';
import { tellMigration } from '../output/tell/tell-migration.ts';
import { tellRule } from '../output/tell/tell-rule.ts';
import { tellVolumeSnapshot } from '../output/tell/tell-volume-snapshot.ts';
import { clusterPairView } from '../output/views/cluster-pair-view.ts';
import { migrationView } from '../output/views/migration-view.ts';
import { ruleView } from '../output/views/rule-view.ts';

interface Story {
  readonly words: readonly string[];
  tell(
    client: KubeClient,
    key: { readonly namespace: string; readonly name: string },
    at: Telling,
  ): Promise<readonly string[]>;
}

interface Telling {
  readonly now: Date;
  readonly signal: AbortSignal;
}

const stories: readonly Story[] = [
  story(migrationView, tellMigration),
  story(clusterPairView, tellClusterPair),
  story(ruleView, tellRule),
  story({ kind: core.volumeSnapshots, words: ['volumesnapshot', 'volumesnapshots', 'vs'] }, tellVolumeSnapshot),
];

export const describeObject = defineCommand({
  words: [['describe']],
  summary:
    'Tells the story of a migration, cluster pair, rule or kept snapshot: times, bytes, what was skipped and why, events.',
  positionals: { shown: 'KIND/NAME', min: 1, max: 2, completes: stories.map(({ words }) => words[0] ?? '') },
  flags: {},
  examples: ['kubectl stork describe migration/mysqlmigration -n mysql', 'kubectl stork describe clusterpair west'],
  async run(context, { positionals }) {
    const { kind, name } = readNamedObject(stories, positionals);
    const { client, namespace } = await context.cluster();
    const at = { now: context.ambient.clock.now(), signal: context.signal };
    context.print((await kind.tell(client, { namespace, name }, at)).join('\n'));
    return 0;
  },
});

function story<T extends KubeObject>(
  view: { readonly kind: Resource<T>; readonly words: readonly string[] },
  tell: (object: T, now: Date) => readonly string[],
): Story {
  return {
    words: view.words,
    async tell(client, key, { now, signal }) {
      const object = await client.get(view.kind, key, { signal });
      const events: Event[] = [];
      const fieldSelector = `involvedObject.uid=${object.metadata.uid}`;
      for await (const event of client.list(core.events, { namespace: key.namespace, fieldSelector, signal }))
        events.push(event);
      return [...tell(object, now), ...eventsSection(events)];
    },
  };
}
