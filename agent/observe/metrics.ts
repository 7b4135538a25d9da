/** The agent's Prometheus metrics, in a registry of its own. Names carry the prefix stork_. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { MachineControllerOptions } from '../../kube/runtime/machine-controller.ts';
import type { LinkState } from '../peer/peer.ts';
import { registerPairMetrics } from './pair-metrics.ts';

export interface Metrics {
  /** Plugged into every controller. */
  readonly controllers: Pick<MachineControllerOptions, 'metrics' | 'onEdge'>;
  /** 1 while this replica leads. */
  leading(value: 0 | 1): void;
  /** Where the pairs are read from whenever somebody scrapes. */
  pairs(read: () => readonly PairSample[]): void;
  readonly contentType: string;
  render(): Promise<string>;
}

export interface PairSample {
  /** The ClusterPair, `namespace/name`. */
  readonly pair: string;
  readonly link: Pick<LinkState, 'state' | 'roundTripMs' | 'clockSkewMs' | 'lastSeen'>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'stork_' });
  const registers = [registry];
  const depth = new Gauge({
    name: 'stork_queue_depth',
    help: 'Keys waiting, by controller.',
    labelNames: ['controller'],
    registers,
  });
  const duration = new Histogram({
    name: 'stork_reconcile_seconds',
    help: 'Duration of reconciles, by controller and result.',
    labelNames: ['controller', 'result'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  const edges = new Counter({
    name: 'stork_stage_transitions_total',
    help: 'Stages left, by machine and edge.',
    labelNames: ['machine', 'from', 'to'],
    registers,
  });
  const leader = new Gauge({ name: 'stork_leader', help: '1 while this replica leads.', registers });
  const observed: { pairs: () => readonly PairSample[] } = { pairs: () => [] };
  registerPairMetrics(registers, () => observed.pairs());
  return {
    controllers: {
      metrics: {
        depth: (controller, keys) => depth.set({ controller }, keys),
        reconciled: (controller, result, durationMs) => duration.observe({ controller, result }, durationMs / 1000),
      },
      onEdge: (machine, edge) => edges.inc({ machine, from: edge.from, to: edge.to }),
    },
    leading: (value) => leader.set(value),
    pairs(read) {
      observed.pairs = read;
    },
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}
