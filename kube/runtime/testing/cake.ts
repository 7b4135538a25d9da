/** A small kind with a machine, for the runtime's own tests: a Cake is mixed, baked (waits for its oven pod) and served. */
import type { KubeObject, Resource } from '../../client/client.ts';
import { type CustomResourceDefinition, core } from '../../client/core.ts';
import { isAlreadyExists } from '../../errors.ts';
import { rfc3339 } from '../conditions.ts';
import { defineMachine, type MachineStatus, type StageContext } from '../machine.ts';
import { advance, fail, finish, wait } from '../outcome.ts';

export interface CakeStatus extends MachineStatus {
  readonly stage?: CakeStage | undefined;
  readonly ended?: 'Served' | 'Burnt' | undefined;
  readonly stageStartTime?: string | undefined;
  readonly layers?: number | undefined;
}

export type CakeStage = '' | 'Baking' | 'Cleanup';

export interface Cake extends KubeObject {
  readonly spec: { readonly layers: number; readonly trouble?: string | undefined };
  readonly status?: CakeStatus | undefined;
}

export const cakes: Resource<Cake> = {
  group: 'kitchen.test',
  version: 'v1',
  plural: 'cakes',
  kind: 'Cake',
  namespaced: true,
};

export const cakeDefinition: Pick<CustomResourceDefinition, 'spec'> = {
  spec: {
    group: 'kitchen.test',
    names: { kind: 'Cake', plural: 'cakes' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { layers: { type: 'integer' }, trouble: { type: 'string' } } },
              status: {
                type: 'object',
                properties: {
                  stage: { type: 'string' },
                  ended: { type: 'string' },
                  stageStartTime: { type: 'string' },
                  layers: { type: 'integer' },
                  observedGeneration: { type: 'integer' },
                  conditions: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['type'],
                    items: {
                      type: 'object',
                      required: ['type'],
                      properties: {
                        type: { type: 'string' },
                        status: { type: 'string' },
                        reason: { type: 'string' },
                        message: { type: 'string' },
                        lastTransitionTime: { type: 'string' },
                        observedGeneration: { type: 'integer' },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};

export const cakeFinalizer = 'kitchen.test/cake';

/** What a test may put in the way of a stage; throws, or answers for it. */
export type Trouble = (stage: CakeStage, cake: Cake) => void;

export function cakeMachine(trouble: Trouble = () => {}) {
  return defineMachine<Cake, CakeStage, CakeStatus>({
    name: 'cake',
    resource: cakes,
    initial: '',
    stageOf: ({ status }) => (status?.ended === undefined ? (status?.stage ?? '') : undefined),
    stageStartTime: (cake) => cake.status?.stageStartTime ?? cake.metadata.creationTimestamp,
    statusFor: ({ stage, next, outcome, now, object }) => ({
      ...(next === 'End' ? {} : { stage: next }),
      ...(next === stage ? {} : { stageStartTime: rfc3339(now) }),
      ...(next === 'End' ? { ended: wasFailed(object, outcome.do) ? 'Burnt' : 'Served' } : {}),
    }),
    stages: {
      '': {
        does: 'Mixes the dough into a ConfigMap.',
        to: ['Baking'],
        onFail: 'Cleanup',
        run: async (context) => {
          trouble('', context.object);
          await ensureDough(context);
          return advance('Baking', { layers: 0 });
        },
      },
      Baking: {
        does: 'Bakes a layer at a time.',
        to: ['Cleanup'],
        onFail: 'Cleanup',
        deadlineSeconds: 600,
        run: async ({ object }) => {
          trouble('Baking', object);
          if (object.spec.layers < 0) return fail('NoLayers', 'a cake needs layers');
          const layers = (object.status?.layers ?? 0) + 1;
          if (layers <= object.spec.layers) return wait(30, 'LayerInOven', `layer ${layers}`, { layers });
          return advance('Cleanup');
        },
      },
      Cleanup: {
        does: 'Washes up.',
        to: ['End'],
        run: async (context) => {
          trouble('Cleanup', context.object);
          await context.effect('throw the dough away', () =>
            context.client.delete(core.configMaps, context.object.metadata),
          );
          return finish('Served', 'bon appetit');
        },
      },
    },
    cleanup: {
      finalizer: cakeFinalizer,
      run: async ({ client, object, effect }) => {
        await effect('throw the dough away', () => client.delete(core.configMaps, object.metadata));
        return 'Done';
      },
    },
  });
}

export function aCake(spec: Partial<Cake['spec']> = {}, name = 'gateau'): Cake {
  return {
    apiVersion: 'kitchen.test/v1',
    kind: 'Cake',
    metadata: { name, namespace: 'bakery' },
    spec: { layers: 1, ...spec },
  };
}

function wasFailed(cake: Cake, outcome: string): boolean {
  const succeeded = cake.status?.conditions?.find((condition) => condition.type === 'Succeeded');
  return outcome === 'fail' || succeeded?.status === 'False';
}

async function ensureDough({ client, object, effect }: StageContext<Cake>): Promise<void> {
  const { name, namespace } = object.metadata;
  await effect('mix the dough', async () => {
    try {
      await client.create(core.configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  });
}
