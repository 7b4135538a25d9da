/** Plain HTTP on 8080 for the kubelet and Prometheus: /healthz, /readyz, /metrics. Nothing secret is behind it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Log } from '../../kube/log.ts';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

export async function startHttpServer(parts: {
  readonly port: number;
  readonly metrics: Pick<Metrics, 'contentType' | 'render'>;
  readonly health: Health;
  readonly log: Log;
}): Promise<HttpServer> {
  const { metrics, health, log } = parts;
  const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 16 * 1024 }, (request, response) => {
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8') =>
      response.writeHead(status, { 'content-type': type }).end(text);
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET\n');
    switch (path) {
      case '/healthz': {
        const { status, text } = health.live();
        return answer(status, text);
      }
      case '/readyz': {
        const { status, text } = health.readiness();
        return answer(status, text);
      }
      case '/metrics':
        metrics.render().then(
          (text) => answer(200, text, metrics.contentType),
          (error: unknown) => {
            log.warn('metrics failed', { error });
            answer(500, 'metrics failed\n');
          },
        );
        return;
      default:
        return answer(404, 'not found\n');
    }
  });
  server.listen(parts.port);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : parts.port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
