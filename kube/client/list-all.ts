/** A whole list from its pages, for the real client and the fake alike. */
import { isGone } from '../errors.ts';
import type { KubeClient, KubeObject, ListOptions, Resource } from './client.ts';

/** How often a list may start over because its continue token expired. */
const maxRestarts = 5;

/**
 * Every object once, in the server's order. An expired continue token (410: a slow reader, a compaction) starts the list
 * again; objects already told are then left out, also if they changed meanwhile.
 */
export async function* listAll<T extends KubeObject>(
  listPage: KubeClient['listPage'],
  resource: Resource<T>,
  options: ListOptions,
): AsyncGenerator<T> {
  const told = new Set<string>();
  let continueToken: string | undefined;
  for (let restarts = 0; ; ) {
    const page = await pageOrExpired(listPage, resource, { ...options, continueToken }, restarts);
    if (page === 'Expired') {
      restarts += 1;
      continueToken = undefined;
      continue;
    }
    for (const object of page.items) {
      const id = object.metadata.uid ?? `${object.metadata.namespace}/${object.metadata.name}`;
      if (!told.has(id)) yield object;
      told.add(id);
    }
    continueToken = page.continueToken;
    if (continueToken === undefined) return;
  }
}

async function pageOrExpired<T extends KubeObject>(
  listPage: KubeClient['listPage'],
  resource: Resource<T>,
  options: ListOptions & { readonly continueToken: string | undefined },
  restarts: number,
) {
  try {
    return await listPage(resource, options);
  } catch (error) {
    if (isGone(error) && options.continueToken !== undefined && restarts < maxRestarts) return 'Expired' as const;
    throw error;
  }
}
