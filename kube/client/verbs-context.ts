/** What the verbs of one client share: the connection, who we act as, and how a request names what it is about. */
import { StorkError } from '../errors.ts';
import type { AnyResource, ObjectKey } from './client.ts';
import type { ManagedFields } from './received.ts';
import type { ImpersonationHeaders, Transport, WireRequest } from './transport.ts';

export interface WatchLimits {
  /** A watch on which nothing came for this long, not even a bookmark, is given up. */
  readonly watchSilentAfterMs: number;
  readonly watchEventBytes: number;
}

export interface VerbsContext {
  readonly transport: Transport;
  readonly headers: ImpersonationHeaders;
  readonly random: () => number;
  readonly limits: WatchLimits;
  readonly userAgent: string;
  readonly managedFields: ManagedFields;
}

/** The answer as JSON. @throws StorkError UnexpectedAnswer when it is something else */
export async function callJson({ transport, headers }: VerbsContext, request: WireRequest): Promise<unknown> {
  const { text } = await transport.call(request, headers);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = 'The API server answered with something else than JSON.';
    throw new StorkError({ code: 'UnexpectedAnswer', message, about: request.about, cause });
  }
}

export const signalOf = (options: { readonly signal?: AbortSignal | undefined } | undefined) => ({
  signal: options?.signal,
});

export function aboutOf(resource: AnyResource, key: ObjectKey): string {
  return `${qualified(resource)} ${key.namespace === undefined ? '' : `${key.namespace}/`}${key.name}`;
}

export function aboutList(resource: AnyResource, namespace: string | undefined): string {
  return namespace === undefined ? qualified(resource) : `${qualified(resource)} in ${namespace}`;
}

const qualified = ({ group, plural }: AnyResource) => (group === '' ? plural : `${plural}.${group}`);

/** A field of something that came from the server, whatever that is. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}
