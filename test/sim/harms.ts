/** What may be done to a simulation: killing what is ours, and what users do at any instant. */
import { revokePair } from '../../agent/migration/testing/connected-link.ts';
import { migrations } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { ApiError } from '../../kube/errors.ts';
import type { Prepared } from './scenarios.ts';
import { addPod, type SimSide } from './side.ts';
import type { Simulation } from './simulation.ts';

export const victims = [
  'source agent',
  'destination agent',
  'source mover',
  'destination mover',
  'source node',
  'destination node',
  'link',
] as const;
export type Victim = (typeof victims)[number];

/** What users do, at any instant. */
export const interferences = [
  'a pod starts on the destination',
  'a destination claim is deleted',
  'a source claim is deleted',
  'the destination namespace is deleted',
  'the Migration is deleted',
  'the pair is revoked',
  'a source pod is deleted',
] as const;
export type Interference = (typeof interferences)[number];

export type Harm = Victim | Interference;

export const isInterference = (harm: Harm): harm is Interference => interferences.some((one) => one === harm);

export async function harm(sim: Simulation, prepared: Prepared, what: Harm): Promise<void> {
  sim.trace(`-------- ${what}`);
  if (isInterference(what)) return await interfere(sim, prepared, what);
  return await deaths[what](sim);
}

type Deed = (sim: Simulation) => void | Promise<void>;

/** Each dies; and comes back, if it is not forgotten. */
const deaths: Readonly<Record<Victim, Deed>> = {
  'source agent': (sim) => sim.a.agent.kill(),
  'destination agent': (sim) => sim.b.agent.kill(),
  'source mover': (sim) => sim.a.nodes.killMover('source'),
  'destination mover': (sim) => sim.b.nodes.killMover('destination'),
  'source node': (sim) => failNode(sim, sim.a),
  'destination node': (sim) => failNode(sim, sim.b),
  link: (sim) => sim.link.cut(sim.chance.between(1000, 40_000)),
};

async function interfere(sim: Simulation, prepared: Prepared, what: Interference): Promise<void> {
  const claim = prepared.claims.length === 0 ? { namespace: 'db', name: 'data' } : sim.chance.oneOf(prepared.claims);
  const { namespace } = claim;
  const [a, b] = [sim.a.cluster.client, sim.b.cluster.client];
  const deeds: Readonly<Record<Interference, () => unknown>> = {
    'a pod starts on the destination': () => addPod(sim.b, namespace, 'intruder', [claim.name]),
    'a destination claim is deleted': () => b.delete(core.persistentVolumeClaims, claim),
    'a source claim is deleted': () => a.delete(core.persistentVolumeClaims, claim),
    'the destination namespace is deleted': () => b.delete(core.namespaces, { name: namespace }),
    'the Migration is deleted': () => a.delete(migrations, prepared.migration),
    'the pair is revoked': async () => {
      sim.link.revoke();
      await revokePair(sim.a.cluster, 'Here');
      await revokePair(sim.b.cluster, 'There');
    },
    'a source pod is deleted': () => {
      sim.a.holds.end(`${namespace}/app`);
      return a.delete(core.pods, { namespace, name: 'app' });
    },
  };
  try {
    await deeds[what]();
  } catch (error) {
    // What is acted on may not be there yet, or not any more.
    if (!(error instanceof ApiError)) throw error;
    sim.trace(`         ${error.message}`);
  }
}

function failNode(sim: Simulation, side: SimSide): void {
  for (const pod of side.nodes.fail(sim.chance.oneOf(['Reboot', 'Loss'])))
    side.holds.end(`${pod.metadata.namespace}/${pod.metadata.name}`);
}
