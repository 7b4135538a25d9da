/** `get KIND [NAME...]`: the tables of PROMISES P25, and kubectl's formats, watch and selectors. */
import type { KubeObject } from '../../kube/client/client.ts';
import { silentLog } from '../../kube/log.ts';
import { startInformer } from '../../kube/runtime/informer.ts';
import { type Arguments, type Cluster, type Command, type CommandContext, defineCommand } from '../command.ts';
import { text, toggle, wholeNumber } from '../flag.ts';
import { cellsOf, columnsOf, type ObjectView } from '../output/object-view.ts';
import { printingFlags } from '../output/output-format.ts';
import { type PrintOptions, printObjects } from '../output/print-objects.ts';
import { alignRows, widthsOf } from '../output/render-table.ts';
import { sayNothingFound } from '../output/say-nothing-found.ts';

const flags = {
  ...printingFlags,
  'all-namespaces': toggle({ describes: 'In all namespaces.', short: 'A' }),
  selector: text({ describes: 'Label selector.', short: 'l' }),
  'field-selector': text({ describes: 'Field selector.' }),
  watch: toggle({ describes: 'Then print each change.', short: 'w' }),
  'watch-only': toggle({ describes: 'Print only changes.' }),
  'chunk-size': wholeNumber({ describes: 'Objects per page.', default: 500 }),
  'ignore-not-found': toggle({ describes: "A name that doesn't exist is no error." }),
} as const;

type Args = Arguments<typeof flags>;

export function getObjects<T extends KubeObject>(view: ObjectView<T>): Command {
  const [word] = view.words;
  return defineCommand({
    words: [['get'], view.words],
    summary: `Shows ${view.title.toLowerCase()}s.`,
    positionals: { shown: '[NAME...]', min: 0, max: Number.POSITIVE_INFINITY, completes: view.completes },
    flags,
    examples: [
      `kubectl stork get ${word} -n shop`,
      `kubectl stork get ${word} --all-namespaces`,
      `kubectl stork get ${word} NAME -o yaml`,
    ],
    run: (context, args) => run(view, context, args),
  });
}

async function run<T extends KubeObject>(view: ObjectView<T>, context: CommandContext, args: Args): Promise<number> {
  const cluster = await context.cluster();
  const found =
    args.positionals.length > 0
      ? await getNamed(view, context, { cluster, args })
      : await listAll(view, context, { cluster, args });
  const watches = args.flags.watch || args.flags['watch-only'];
  if (found.length === 0 && !watches) {
    if (!args.flags['ignore-not-found'])
      sayNothingFound(context, view.kind.namespaced ? whereOf(args, cluster) : undefined);
    return 0;
  }
  const shown = printOptions(context, args, view.kind.namespaced ? 'Namespaced' : 'Cluster');
  if (!args.flags['watch-only'] && (found.length > 0 || shown.format.kind === 'table')) {
    const printed = printObjects(view, found, shown);
    // As kubectl: a template ends its lines itself.
    context.ambient.stdout.write(shown.format.kind === 'jsonpath' ? printed : `${printed}\n`);
  }
  return watches ? await watchObjects(view, context, { cluster, args, found, shown }) : 0;
}

interface Where {
  readonly cluster: Cluster;
  readonly args: Args;
}

async function getNamed<T extends KubeObject>(view: ObjectView<T>, context: CommandContext, { cluster, args }: Where) {
  const found: T[] = [];
  for (const name of args.positionals) {
    const key = { namespace: view.kind.namespaced ? cluster.namespace : undefined, name };
    const calls = { signal: context.signal };
    if (!args.flags['ignore-not-found']) found.push(await cluster.client.get(view.kind, key, calls));
    else found.push(...[await cluster.client.find(view.kind, key, calls)].filter((object) => object !== undefined));
  }
  return found;
}

async function listAll<T extends KubeObject>(view: ObjectView<T>, context: CommandContext, { cluster, args }: Where) {
  const found: T[] = [];
  const options = { ...selectionOf(args, cluster), pageSize: args.flags['chunk-size'], signal: context.signal };
  for await (const object of cluster.client.list(view.kind, options)) found.push(object);
  return found.sort((one, other) => (placeOf(one) < placeOf(other) ? -1 : 1));
}

interface Watched<T extends KubeObject> extends Where {
  readonly found: readonly T[];
  readonly shown: PrintOptions;
}

/** Rows of changes, under the columns already printed. Runs until interrupted. */
async function watchObjects<T extends KubeObject>(
  view: ObjectView<T>,
  context: CommandContext,
  { cluster, args, found, shown }: Watched<T>,
): Promise<number> {
  const { clock, random } = context.ambient;
  const names = new Set(args.positionals);
  const told = new Map(found.map((object) => [placeOf(object), object.metadata.resourceVersion]));
  await using informer = startInformer<T, T>(
    { resource: view.kind, ...selectionOf(args, cluster), project: (object) => object },
    { client: cluster.client, clock, random, log: silentLog() },
  );
  await informer.synced(context.signal);
  using _ = informer.subscribe((change) => {
    const object = change.type === 'Deleted' ? change.before : change.now;
    if (names.size > 0 && !names.has(object.metadata.name)) return;
    const version = object.metadata.resourceVersion;
    if (change.type === 'Added' && told.get(placeOf(object)) === version) return;
    context.print(renderChange(view, object, { found, shown: { ...shown, now: clock.now() } }));
  });
  await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve(), { once: true }));
  return 130;
}

function renderChange<T extends KubeObject>(
  view: ObjectView<T>,
  object: T,
  { found, shown }: { readonly found: readonly T[]; readonly shown: PrintOptions },
): string {
  const { format, namespaces, now } = shown;
  if (format.kind !== 'table' && format.kind !== 'wide') return printObjects(view, [object], { ...shown, as: 'One' });
  const how = { wide: format.kind === 'wide' ? 'Yes' : 'No', namespaces, now } as const;
  const printed = [columnsOf(view, how), ...found.map((one) => cellsOf(view, one, how))];
  return alignRows([cellsOf(view, object, how)], widthsOf(printed));
}

function printOptions(context: CommandContext, args: Args, scope: 'Namespaced' | 'Cluster'): PrintOptions {
  return {
    format: args.flags.output,
    headers: args.flags['no-headers'] ? 'Hide' : 'Show',
    namespaces: args.flags['all-namespaces'] && scope === 'Namespaced' ? 'Show' : 'Hide',
    now: context.ambient.clock.now(),
    as: args.positionals.length === 1 ? 'One' : 'List',
  };
}

function selectionOf(args: Args, cluster: Cluster) {
  return {
    namespace: args.flags['all-namespaces'] ? undefined : cluster.namespace,
    labelSelector: args.flags.selector,
    fieldSelector: args.flags['field-selector'],
  };
}

function whereOf(args: Args, cluster: Cluster): string | undefined {
  return args.flags['all-namespaces'] ? undefined : cluster.namespace;
}

function placeOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
