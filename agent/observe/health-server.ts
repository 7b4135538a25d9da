/**
 * `/healthz`, `/readyz` and `/metrics` over plain HTTP on 8080. Health says that the event loop answers and no check that
 * needs a restart failed; readiness that the agent can do its work. A failing check is named, with its reason.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { Metrics } from './metrics.ts';

export type CheckResult = { readonly ok: 'Yes' } | { readonly ok: 'No'; readonly reason: string };

export interface Check {
  readonly name: string;
  /** Quick and without I/O: it looks at what is known. */
  readonly run: () => CheckResult;
}

export interface HealthServerOptions {
  readonly port: number;
  readonly host?: string | undefined;
  readonly metrics: Pick<Metrics, 'render'>;
  readonly health: readonly Check[];
  readonly readiness: readonly Check[];
}

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const { metrics, health, readiness } = options;
  const server = createServer({ requestTimeout: 10_000, keepAliveTimeout: 15_000 }, (request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'GET only\n');
    if (path === '/healthz') return answerChecks(response, health);
    if (path === '/readyz') return answerChecks(response, readiness);
    if (path !== '/metrics') return answer(response, 404, 'not found\n');
    metrics.render().then(
      ({ contentType, body }) => answer(response, 200, body, contentType),
      () => answer(response, 500, 'metrics could not be collected\n'),
    );
  });
  server.maxConnections = 128;
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function answerChecks(response: ServerResponse, checks: readonly Check[]): void {
  const results = checks.map(({ name, run }) => ({ name, result: run() }));
  const failed = results.some(({ result }) => result.ok === 'No');
  const lines = results.map(({ name, result }) =>
    result.ok === 'Yes' ? `[+] ${name}` : `[-] ${name}: ${result.reason}`,
  );
  answer(response, failed ? 503 : 200, [...lines, failed ? 'not ok' : 'ok', ''].join('\n'));
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
