/** What isn't about one resource: exec, logs, discovery, version, any other endpoint. */
import type { KubeClient, LogsRequest, ServedResource } from './client.ts';
import { core } from './core.ts';
import { discoverResources, discoveryFreshMs } from './discovery.ts';
import { execInPod } from './exec-in-pod.ts';
import { objectPath, queryString } from './object-path.ts';
import type { WireRequest } from './transport.ts';
import { aboutOf, callJson, fieldOf, signalOf, type VerbsContext } from './verbs-context.ts';

/** A log is read up to this from where the request starts: ask for tailLines to see its end. */
const maxLogBytes = 4 * 1024 * 1024;

export type ServerVerbs = Pick<KubeClient, 'exec' | 'logs' | 'discover' | 'version' | 'request'>;

export function serverVerbs(context: VerbsContext): ServerVerbs {
  const { transport, headers } = context;
  let discovered: { readonly at: number; readonly resources: Promise<readonly ServedResource[]> } | undefined;
  return {
    exec: (request) => execInPod(transport, headers, context.userAgent, request),
    async logs(request) {
      return (await transport.call(logsRequest(request), headers)).text;
    },
    async discover(options) {
      options?.signal?.throwIfAborted();
      const now = transport.clock.monotonicMs();
      if (discovered === undefined || now - discovered.at > discoveryFreshMs) {
        const fetchJson = (path: string, accept: string) =>
          callJson(context, { method: 'GET', path, accept, about: 'discovery' });
        const resources = discoverResources(fetchJson);
        discovered = { at: now, resources };
        resources.catch(() => {
          discovered = undefined;
        });
      }
      return discovered.resources;
    },
    async version(options) {
      const answer = await callJson(context, {
        method: 'GET',
        path: '/version',
        about: 'version',
        ...signalOf(options),
      });
      return String(fieldOf(answer, 'gitVersion'));
    },
    async request(method, path, options = {}) {
      const body = options.body === undefined ? undefined : JSON.stringify(options.body);
      const { contentType } = options;
      const answer = await transport.call(
        { method, path, body, contentType, about: path, ...signalOf(options) },
        headers,
      );
      return answer.contentType.includes('json') ? JSON.parse(answer.text) : answer.text;
    },
  };
}

function logsRequest(request: LogsRequest): WireRequest {
  const key = { namespace: request.namespace, name: request.pod };
  const query = queryString({
    container: request.container,
    tailLines: request.tailLines,
    sinceTime: request.sinceTime,
    timestamps: request.timestamps === 'Yes' ? true : undefined,
    previous: request.previous === 'Yes' ? true : undefined,
    limitBytes: maxLogBytes,
  });
  return {
    method: 'GET',
    path: `${objectPath(core.pods, key, 'log')}?${query}`,
    accept: 'text/plain, application/json',
    about: aboutOf(core.pods, key),
    signal: request.signal,
  };
}
