/** Reading: get, find, list by pages, watch. */
import { isNotFound } from '../errors.ts';
import type { KubeClient } from './client.ts';
import { listAll } from './list-all.ts';
import { collectionPath, objectPath, queryString, selectionQuery } from './object-path.ts';
import { readList, readObject, readWatchEvent } from './received.ts';
import { aboutList, aboutOf, callJson, signalOf, type VerbsContext } from './verbs-context.ts';
import { jsonLines } from './watch-stream.ts';

const defaultPageSize = 500;
/** The server ends a watch after this long, plus up to `watchSpreadSeconds`, so that watches don't all end at once. */
const watchSeconds = 290;
const watchSpreadSeconds = 60;

export type ReadVerbs = Pick<KubeClient, 'get' | 'find' | 'listPage' | 'list' | 'watch'>;

export function readVerbs(context: VerbsContext): ReadVerbs {
  const { transport, headers, limits, managedFields } = context;
  const verbs: ReadVerbs = {
    async get(resource, key, options) {
      const request = {
        method: 'GET',
        path: objectPath(resource, key),
        about: aboutOf(resource, key),
        ...signalOf(options),
      } as const;
      return readObject(resource, await callJson(context, request), managedFields);
    },
    async find(resource, key, options) {
      try {
        return await verbs.get(resource, key, options);
      } catch (error) {
        // Without the object's name it is the kind that isn't served.
        if (isNotFound(error) && error.status.details?.name === key.name) return undefined;
        throw error;
      }
    },
    async listPage(resource, options = {}) {
      const { pageSize = defaultPageSize, continueToken } = options;
      const query = queryString({ ...selectionQuery(options), limit: pageSize, continue: continueToken });
      const path = `${collectionPath(resource, options.namespace)}?${query}`;
      const answer = await callJson(context, {
        method: 'GET',
        path,
        about: aboutList(resource, options.namespace),
        ...signalOf(options),
      });
      return readList(resource, answer, managedFields);
    },
    list: (resource, options) => listAll(verbs.listPage, resource, options ?? {}),
    watch: (resource, options) => ({
      async *[Symbol.asyncIterator]() {
        const { resourceVersion, namespace, signal } = options;
        const timeoutSeconds = watchSeconds + Math.floor(context.random() * watchSpreadSeconds);
        const selection = selectionQuery(options);
        const query = queryString({
          ...selection,
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion,
          timeoutSeconds,
        });
        const about = aboutList(resource, namespace);
        const request = {
          method: 'GET',
          path: `${collectionPath(resource, namespace)}?${query}`,
          about,
          signal,
        } as const;
        const response = await transport.stream(request, headers);
        const { server, clock } = transport;
        const { watchSilentAfterMs: silentAfterMs, watchEventBytes: lineBytes } = limits;
        for await (const line of jsonLines(response, { server, about, clock, signal, silentAfterMs, lineBytes })) {
          yield readWatchEvent(resource, line, { about, managedFields });
        }
      },
    }),
  };
  return verbs;
}
