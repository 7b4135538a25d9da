/** What an API server sent, as objects: the edge where JSON becomes typed. */
import { anything, integer, list, object, parse, required, string } from '../../crds/schema/index.ts';
import { StorkError } from '../errors.ts';
import { apiErrorOf } from './answer.ts';
import type { AnyResource, KubeObject, ListPage, Resource, WatchEvent } from './client.ts';

export type ManagedFields = 'Strip' | 'Keep';

type Mutable = Record<string, unknown>;

export function readObject<T extends KubeObject>(
  resource: Resource<T>,
  value: unknown,
  managedFields: ManagedFields,
): T {
  const received = assertReceived(resource, value);
  if (managedFields === 'Strip') delete received.metadata.managedFields;
  return assertOf<T>(received);
}

const listAnswer = object({
  apiVersion: string(),
  metadata: object({ resourceVersion: string(), continue: string(), remainingItemCount: integer() }),
  items: list(anything()),
});

/** Items of typed lists come without apiVersion and kind: here they have them. */
export function readList<T extends KubeObject>(
  resource: Resource<T>,
  value: unknown,
  managedFields: ManagedFields,
): ListPage<T> {
  const { apiVersion, metadata, items } = parse(listAnswer, value);
  const next = metadata?.continue;
  return {
    items: (items ?? []).map((item) => readObject(resource, named(item, apiVersion, resource.kind), managedFields)),
    resourceVersion: metadata?.resourceVersion ?? '',
    continueToken: next === '' ? undefined : next,
  };
}

function named(item: unknown, apiVersion: string | undefined, kind: string): unknown {
  return typeof item === 'object' && item !== null && !('kind' in item) ? { apiVersion, kind, ...item } : item;
}

const watchLine = object({ type: required(string()), object: required(anything()) });

/** @throws ApiError for an ERROR event, e.g. 410 */
export function readWatchEvent<T extends KubeObject>(
  resource: Resource<T>,
  line: unknown,
  { about, managedFields }: { readonly about: string; readonly managedFields: ManagedFields },
): WatchEvent<T> {
  const event = parse(watchLine, line);
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object: readObject(resource, event.object, managedFields) };
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: bookmarkOf(event.object) };
    case 'ERROR':
      throw apiErrorOf(500, event.object, about);
    default: {
      const message = `A watch told of an event of the unknown type ${event.type}.`;
      throw new StorkError({ code: 'UnexpectedAnswer', message, about });
    }
  }
}

const bookmark = object({ metadata: required(object({ resourceVersion: required(string()) })) });
const bookmarkOf = (value: unknown) => parse(bookmark, value).metadata.resourceVersion;

/** Checks what every object has; what is inside is the server's word. */
function assertReceived(resource: AnyResource, value: unknown): Mutable & { readonly metadata: Mutable } {
  const received = value as { readonly kind?: unknown; readonly metadata?: unknown } | null | undefined;
  if (typeof received?.metadata === 'object' && received.metadata !== null && typeof received.kind === 'string') {
    return received as Mutable & { readonly metadata: Mutable };
  }
  const message = `The API server answered with something else than a ${resource.kind}.`;
  throw new StorkError({ code: 'UnexpectedAnswer', message, about: resource.plural });
}

/** The server validated it against the kind that the path names. */
function assertOf<T extends KubeObject>(received: unknown): T {
  return received as T;
}
