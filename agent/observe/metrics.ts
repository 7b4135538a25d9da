/**
 * The agent's Prometheus registry: process and event-loop metrics, the controllers' queues and reconciles, the pair links.
 * Services and features get what they report to as narrow functions, never the registry.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ControllerMetrics } from '../../kube/runtime/controller.ts';

export interface LinkReading {
  /** The ClusterPair, `namespace/name`. */
  readonly pair: string;
  readonly connected: 'Yes' | 'No';
  readonly roundTripMs: number | undefined;
}

export interface Metrics {
  readonly controllers: ControllerMetrics;
  /** Reads links when Prometheus asks. */
  observeLinks(read: () => readonly LinkReading[]): void;
  /** A counter, e.g. `stork_mover_bytes_total`. Names and labels are fixed; label values must be few. */
  counter<const Labels extends string>(
    name: string,
    help: string,
    labels: readonly Labels[],
  ): (labels: Readonly<Record<Labels, string>>, by?: number) => void;
  /** A gauge that is read when Prometheus asks. */
  gauge<const Labels extends string>(
    name: string,
    help: string,
    labels: readonly Labels[],
    read: () => readonly { readonly labels: Readonly<Record<Labels, string>>; readonly value: number }[],
  ): void;
  /** The exposition format. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({ name: 'stork_agent_build_info', help: 'Constant 1', labelNames: ['version'], registers }).set(
    { version },
    1,
  );
  const metrics: Metrics = {
    controllers: controllerMetrics(registers),
    observeLinks(read) {
      metrics.gauge('stork_pair_connected', '1 while the pair is connected', ['pair'], () =>
        read().map(({ pair, connected }) => ({ labels: { pair }, value: connected === 'Yes' ? 1 : 0 })),
      );
      metrics.gauge('stork_pair_round_trip_seconds', 'Round trip of the last ping to the peer', ['pair'], () =>
        read().flatMap(({ pair, roundTripMs }) =>
          roundTripMs === undefined ? [] : [{ labels: { pair }, value: roundTripMs / 1000 }],
        ),
      );
    },
    counter(name, help, labels) {
      const counter = new Counter<string>({ name, help, labelNames: [...labels], registers });
      return (values, by = 1) => counter.inc({ ...values }, by);
    },
    gauge(name, help, labels, read) {
      const gauge: Gauge = new Gauge<string>({
        name,
        help,
        labelNames: [...labels],
        registers,
        collect() {
          gauge.reset();
          for (const reading of read()) gauge.set({ ...reading.labels }, reading.value);
        },
      });
    },
    async render() {
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
  return metrics;
}

function controllerMetrics(registers: Registry[]): ControllerMetrics {
  const depth = new Gauge({
    name: 'stork_controller_queue_depth',
    help: 'Keys waiting to be reconciled',
    labelNames: ['controller'],
    registers,
  });
  const reconciled = new Histogram({
    name: 'stork_controller_reconcile_seconds',
    help: 'How long reconciles took, by what they ended with',
    labelNames: ['controller', 'result'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  return {
    depth: (controller, keys) => depth.set({ controller }, keys),
    reconciled: (controller, result, durationMs) => reconciled.observe({ controller, result }, durationMs / 1000),
  };
}
