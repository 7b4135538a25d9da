/** Reaches the API servers of other clusters, for ClusterPairs that carry a kubeconfig. */
import { lookup } from 'node:dns/promises';
import type { Ambient } from '../kube/ambient.ts';
import { createKubeClient } from '../kube/client/create-kube-client.ts';
import { StorkError } from '../kube/errors.ts';
import type { AgentOptions } from './agent-options.ts';
import type { OtherClusters } from './pairing/by-kubeconfig/reach-cluster.ts';

/** A stranger's server is given little time and little memory. */
const limits = { answerBytes: 16 * 1024 * 1024, answerWithinMs: 10_000, attempts: 2, retryAfterMs: 2000 } as const;

export function otherClusters(parts: { readonly options: AgentOptions; readonly ambient: Ambient }): OtherClusters {
  const { clock, random, version } = parts.ambient;
  return {
    allowed: parts.options.kubeconfigServers,
    async resolve(host) {
      return (await lookup(host, { all: true })).map(({ address }) => address);
    },
    connect: (config) =>
      createKubeClient({
        config,
        clock,
        random,
        limits,
        userAgent: `stork-agent/${version}`,
        terminal: 'Absent',
        // Nothing of such a kubeconfig comes from our files or environment.
        env: {},
        readText: (path) => Promise.reject(new StorkError({ code: 'KubeconfigRefused', message: `${path} is a file` })),
      }),
  };
}
