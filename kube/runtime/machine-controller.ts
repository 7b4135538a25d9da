/** A machine on its controller: reconciles an object when somebody other than its own status writer changes it. */
import { createHash } from 'node:crypto';
import type { KubeObject } from '../client/client.ts';
import type { Backoff } from './backoff.ts';
import { type Controller, type ControllerMetrics, createController } from './controller.ts';
import type { InformerDefinition } from './informer.ts';
import type { InformerSet } from './informer-set.ts';
import type { Machine, MachineObject, MachineStatus } from './machine.ts';
import { type MachineEnvironment, runMachine } from './run-machine.ts';

export interface MachineControllerOptions extends MachineEnvironment {
  readonly informers: InformerSet;
  readonly random: () => number;
  readonly workers?: number | undefined;
  readonly backoff?: Backoff | undefined;
  readonly metrics?: ControllerMetrics | undefined;
}

/**
 * The controller, not yet running: `watch` what else its stages wait for (Jobs, pods, …), then `run(signal)`.
 * Our own status writes don't wake it; `wait(seconds)` and `advance` do.
 */
export function createMachineController<
  T extends MachineObject<Status>,
  Stage extends string,
  Status extends MachineStatus,
>(machine: Machine<T, Stage, Status>, options: MachineControllerOptions): Controller {
  const { informers, clock, log, random, workers, backoff, metrics } = options;
  const reconcile = runMachine(machine, options);
  const controller = createController({ name: machine.name, clock, log, random, workers, backoff, metrics, reconcile });
  const definition: InformerDefinition<T, string> = { resource: machine.resource, project: fingerprint };
  controller.watch(informers.informer(definition), (change) =>
    change.type === 'Changed' && change.before === change.now ? [] : [change.key],
  );
  return controller;
}

/** Changes when anything but status (and bookkeeping of the server) does. */
export function fingerprint({ metadata }: KubeObject): string {
  const { uid, generation, deletionTimestamp, labels, annotations, finalizers } = metadata;
  const facts = JSON.stringify([uid, generation, deletionTimestamp, labels, annotations, finalizers]);
  return createHash('sha256').update(facts).digest('base64');
}
