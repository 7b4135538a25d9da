/** Creates one object as kubectl would: `--dry-run`, `-o`, `-f FILE`. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { parse as parseYaml } from 'yaml';
import { type Kind, parse } from '../crds/schema/index.ts';
import type { KubeObject } from '../kube/client/client.ts';
import { StorkError } from '../kube/errors.ts';
import type { CommandContext } from './command.ts';
import { createAdmitted } from './create-admitted.ts';
import { choice, text } from './flag.ts';
import type { ObjectView } from './output/object-view.ts';
import { type OutputFormat, outputFlag } from './output/output-format.ts';
import { nameOf, printObjects } from './output/print-objects.ts';

export const dryRuns = ['none', 'client', 'server'] as const;

export const creationFlags = {
  'dry-run': choice(dryRuns, {
    describes: 'client: only print what would be sent; server: send it without keeping it.',
    bare: 'client',
    default: 'none',
  }),
  output: outputFlag(),
} as const;

export const fileFlag = text({
  describes: 'Create what this YAML or JSON file describes; - is standard input.',
  short: 'f',
  value: 'FILE',
});

export interface Creation<T extends KubeObject> {
  readonly object: T;
  readonly dryRun: (typeof dryRuns)[number];
  readonly format: OutputFormat;
  /** What to print when no format was asked for. */
  readonly says: string;
}

/** @throws ApiError as the server refuses it */
export async function createObject<T extends KubeObject>(
  view: ObjectView<T>,
  context: CommandContext,
  { object, dryRun, format, says }: Creation<T>,
): Promise<void> {
  const made = dryRun === 'client' ? object : await send(view, context, { object, dryRun });
  const suffix = dryRun === 'none' ? '' : dryRun === 'client' ? ' (dry run)' : ' (server dry run)';
  if (format.kind === 'table') return context.print(`${says}${suffix}`);
  if (format.kind === 'name') return context.print(nameOf(view.kind, made));
  const now = context.ambient.clock.now();
  context.print(printObjects(view, [made], { format, headers: 'Show', namespaces: 'Hide', now, as: 'One' }));
}

async function send<T extends KubeObject>(
  view: ObjectView<T>,
  context: CommandContext,
  { object, dryRun }: { readonly object: T; readonly dryRun: 'none' | 'server' },
): Promise<T> {
  return createAdmitted(context, view.kind, object, { dryRun: dryRun === 'server' ? 'All' : undefined });
}

/**
 * One object of the kind from a file, defaults filled in, a typo refused by name.
 * @throws StorkError `BadFile`; SchemaError
 */
export async function readObject<T extends KubeObject>(
  kind: Kind<T, KubeObject>,
  file: string,
  context: CommandContext,
): Promise<T> {
  const content = file === '-' ? await readAll(context.ambient.stdin) : await readText(file);
  const given: unknown = parseYaml(content);
  const { apiVersion, kind: named } = Object(given);
  if (apiVersion !== kind.apiVersion || named !== kind.kind) {
    throw new StorkError({ code: 'BadFile', message: `${file} holds no ${kind.apiVersion} ${kind.kind}` });
  }
  const object = parse(kind.schema, given, { unknownFields: 'Refuse' });
  if (typeof object.metadata?.name === 'string') return object;
  throw new StorkError({ code: 'BadFile', message: `${file}: metadata.name is missing` });
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new StorkError({ code: 'BadFile', message: `can't read ${file}`, cause });
  }
}
