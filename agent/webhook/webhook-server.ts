/**
 * The HTTPS port that API servers call: `/mutate` and `/validate`. Every replica serves it. It keeps nothing and reads
 * nothing, so an answer takes milliseconds, and a caller who isn't the API server learns nothing.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { SchemaError } from '../../crds/schema/index.ts';
import { StorkError } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { readCapped } from '../peer/message.ts';
import type { ServingTls } from '../peer/serving-tls.ts';
import { answerReview, readReview } from './admission-review.ts';
import { decideMutation, decideValidation } from './decide-admission.ts';

export interface WebhookServer extends AsyncDisposable {
  readonly port: number;
  /** New connections use these certificates. */
  renew(tls: ServingTls): void;
  /** Each connection ends with its next answer: API servers keep theirs, and shall find another replica. */
  leave(): void;
}

export const webhookLimits = {
  /** A review carries an object twice, and an API server takes objects up to 3 MiB. */
  reviewBytes: 8 * 1024 * 1024,
  connections: 64,
  requestMs: 10_000,
} as const;

const decisions = { '/mutate': decideMutation, '/validate': decideValidation } as const;
const isServed = (path: string | undefined): path is keyof typeof decisions =>
  path !== undefined && Object.hasOwn(decisions, path);

export async function startWebhookServer(parts: {
  readonly tls: ServingTls;
  readonly port: number;
  readonly host?: string | undefined;
  readonly log: Log;
}): Promise<WebhookServer> {
  const { log } = parts;
  const contextOf = ({ key, certificate }: ServingTls) => ({ key, cert: certificate, minVersion: 'TLSv1.2' }) as const;
  const limits = { requestTimeout: webhookLimits.requestMs, maxHeaderSize: 16 * 1024 };
  let stays: 'Yes' | 'No' = 'Yes';
  const server = createServer({ ...contextOf(parts.tls), ...limits }, (request, response) => {
    if (stays === 'No') response.setHeader('connection', 'close');
    answer(request).then(
      (review) => respond(response, 200, review),
      (error: unknown) => {
        log.info('an admission review was refused', { path: request.url?.slice(0, 100), error });
        respond(response, statusOf(error), { message: error instanceof Error ? error.message : 'refused' });
      },
    );
  });
  server.maxConnections = webhookLimits.connections;
  server.listen(parts.port, parts.host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : parts.port,
    renew: (tls) => server.setSecureContext(contextOf(tls)),
    leave() {
      stays = 'No';
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(request: IncomingMessage): Promise<unknown> {
  const path = request.url?.split('?')[0];
  if (!isServed(path) || request.method !== 'POST')
    throw new StorkError({ code: 'UnknownRoute', message: 'not found' });
  const body = await readCapped(request, webhookLimits.reviewBytes);
  const asked = readReview(body.toString('utf8'));
  return answerReview(asked, decisions[path](asked));
}

function statusOf(error: unknown): number {
  if (error instanceof SyntaxError || error instanceof SchemaError) return 400;
  const code = error instanceof StorkError ? error.code : '';
  return { UnknownRoute: 404, MessageTooLarge: 413 }[code] ?? 500;
}

function respond(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  // What was not read of a body that is too large is not waited for.
  if (status >= 400) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
