/**
 * `stork-agent run`: health, metrics and admission on every replica, everything else in the leader. Who lost the Lease starts anew:
 * a fresh start is the one state that is always right.
 */
import { readFile } from 'node:fs/promises';
import type { Ambient } from '../kube/ambient.ts';
import { createKubeClient } from '../kube/client/create-kube-client.ts';
import { inClusterConfig } from '../kube/client/in-cluster-config.ts';
import type { Ending } from '../kube/run-program.ts';
import { runAsLeader } from '../kube/runtime/lease.ts';
import { readAgentOptions } from './agent-options.ts';
import { lead } from './compose-leader.ts';
import { takeLeaderLabel } from './leader-label.ts';
import { createHealth } from './observe/health.ts';
import { startHttpServer } from './observe/http-server.ts';
import { createJsonLog } from './observe/json-log.ts';
import { createMetrics } from './observe/metrics.ts';
import { serveWebhook } from './webhook/webhook.ts';

/** Runs until asked to stop (0) or until leadership was lost. @throws StorkError when it can't start */
export async function runAgent(ambient: Ambient): Promise<Ending> {
  const options = readAgentOptions(ambient.env);
  const { clock, random, env, signal } = ambient;
  const log = createJsonLog({ stream: ambient.stderr, clock, level: options.logLevel });
  const readText = (path: string) => readFile(path, 'utf8');
  const config = await inClusterConfig({ env, readText });
  const userAgent = `stork-agent/${ambient.version}`;
  const client = createKubeClient({ config, env, clock, random, readText, terminal: 'Absent', userAgent });
  const metrics = createMetrics();
  const health = createHealth();
  await using server = await startHttpServer({ port: options.httpPort, metrics, health, log });
  log.info('started', { version: ambient.version, cluster: options.cluster, pod: options.pod, port: server.port });
  const self = { namespace: options.namespace, pod: options.pod };
  const leading = async (leaderSignal: AbortSignal): Promise<void> => {
    metrics.leading(1);
    await takeLeaderLabel(client, self, leaderSignal);
    await lead({ options, ambient, client, log, observe: metrics.controllers, metrics }, leaderSignal);
  };
  const election = {
    client,
    clock,
    random,
    log,
    namespace: options.namespace,
    name: 'stork-agent',
    // A pod's containers run one after the other: after a crash the new one leads at once, without waiting for the lease.
    identity: options.pod,
  };
  const webhookParts = { client, clock, random, log, namespace: options.namespace, randomBytes: ambient.randomBytes };
  await using webhook = await serveWebhook({ ...webhookParts, port: options.webhookPort }, signal);
  health.ready();
  const ended = await runAsLeader(election, leading, signal);
  // The lease is free by now. Ready until the end: Kubernetes takes a pod that ends out of its Services by itself, and sends
  // admission to one that is ready and ends only when there is no other.
  if (ended === 'Released') await webhook.drain();
  client.close();
  if (ended === 'Released') return 0;
  log.error('leadership was lost, starting anew');
  return 'StartAnew';
}
