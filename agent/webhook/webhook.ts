/**
 * The webhook feature. `serveWebhook` runs on every replica, since a request that finds none is refused; the leader's
 * `createTrustKeeper` keeps both configurations trusting our authority. Neither makes a configuration: that is the
 * installation's, and without one nothing is guarded and no operation is carried out.
 */
import { webhookName } from '../../crds/agent-names.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Log } from '../../kube/log.ts';
import { type Controller, createController } from '../../kube/runtime/controller.ts';
import type { InformerDefinition } from '../../kube/runtime/informer.ts';
import type { InformerSet } from '../../kube/runtime/informer-set.ts';
import { type ReconcileResult, requeueAfter } from '../../kube/runtime/reconcile.ts';
import { keepServingTls, nextLookMs } from '../peer/keep-serving-tls.ts';
import { ensureServingTls, type ServingTls, secretOf } from '../peer/serving-tls.ts';
import { type Guard, trustAuthority } from './trust-authority.ts';
import { startWebhookServer, type WebhookServer } from './webhook-server.ts';
import { webhookServed } from './webhook-tls.ts';

export interface WebhookParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly namespace: string;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
}

export interface ServedWebhook extends Pick<WebhookServer, 'port'>, AsyncDisposable {
  /**
   * To be called when this replica was asked to end; resolves when nobody needs it any more. It answers meanwhile: proxies
   * go on calling it until they have heard, and when it was the only one they call it until its successor is ready.
   */
  drain(): Promise<void>;
}

/** A successor's pod starts in a few seconds; far below terminationGracePeriodSeconds (plugin/install/plan-agent.ts). */
export const drainMs = 10_000;

/** Serves as soon as it resolves; certificates are looked after until the signal aborts. */
export async function serveWebhook(
  parts: WebhookParts & { readonly port: number; readonly host?: string | undefined },
  signal: AbortSignal,
): Promise<ServedWebhook> {
  const served = webhookServed(parts.namespace);
  const first = await firstTls(parts, signal);
  const server = await startWebhookServer({ ...parts, tls: first });
  const stop = new AbortController();
  const renew = (tls: ServingTls) => server.renew(tls);
  const kept = keepServingTls({ ...parts, served, first, renew }, AbortSignal.any([signal, stop.signal]));
  return {
    port: server.port,
    async drain() {
      server.leave();
      await parts.clock.sleep(drainMs);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await kept;
      await server[Symbol.asyncDispose]();
    },
  };
}

/** An API server that is away while we start is waited for. */
async function firstTls({ log, clock, ...place }: WebhookParts, signal: AbortSignal): Promise<ServingTls> {
  for (;;) {
    try {
      return await ensureServingTls(webhookServed(place.namespace), { ...place, now: clock.now(), signal });
    } catch (error) {
      signal.throwIfAborted();
      log.warn('the webhook has no certificates yet', { error });
      await clock.sleep(retryMs, signal);
    }
  }
}

const retryMs = 2000;

export function createTrustKeeper(parts: WebhookParts & { readonly informers: InformerSet }): Controller {
  const { client, clock, informers, namespace } = parts;
  const served = webhookServed(namespace);
  const controller = createController({
    ...parts,
    name: 'webhook',
    async reconcile(_key, signal): Promise<ReconcileResult> {
      const tls = await ensureServingTls(served, { ...parts, now: clock.now(), signal });
      const { state } = await trustAuthority(client, tls.authority, signal);
      if (state === 'Missing') parts.log.warn(unguarded, { name: webhookName });
      return requeueAfter(nextLookMs(tls, clock.now()) / 1000);
    },
  });
  for (const guard of [mutating, validating]) controller.watch(informers.informer(guard), () => [webhookName]);
  controller.watch(informers.informer(secretOf(served, namespace)), () => [webhookName]);
  controller.enqueue(webhookName);
  return controller;
}

const unguarded =
  'the webhook configurations are missing: no migration and no action is carried out. Install again: kubectl stork install';

const fieldSelector = `metadata.name=${webhookName}`;
const project = ({ metadata }: Guard) => ({ version: metadata.resourceVersion });
const mutating: InformerDefinition<Guard, { readonly version: string | undefined }> = {
  resource: core.mutatingWebhookConfigurations,
  fieldSelector,
  project,
};
const validating: InformerDefinition<Guard, { readonly version: string | undefined }> = {
  resource: core.validatingWebhookConfigurations,
  fieldSelector,
  project,
};
