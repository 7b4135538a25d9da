/** What runs, as lines for a person: the bed's state, its programs, nodes and the link. */
import { findLeftovers, observeState } from './bed.ts';
import { listDaemons } from './daemons.ts';
import { isAlive } from './lock.ts';
import { kubeconfigPlace, logPlace, type Places, thisBed } from './places.ts';
import { listClusters, serverUrl } from './plan.ts';

export async function describeBed(places: Places): Promise<readonly string[]> {
  const state = await observeState(places);
  if (state === 'Down') return ['the test bed is down'];
  const daemons = await listDaemons(places.state);
  const dead = daemons.filter((daemon) => !isAlive(daemon)).map((daemon) => daemon.name);
  return [
    `the test bed is ${state === 'Up' ? 'up' : 'broken; `up` starts it anew'}`,
    `programs: ${daemons.length - dead.length} of ${daemons.length} run${dead.length > 0 ? `; ended: ${dead.join(', ')}` : ''}`,
    ...(state === 'Broken' ? (await findLeftovers(places)).map((line) => `  ${line}`) : []),
    ...listClusters(thisBed()).flatMap((cluster) => [
      `cluster ${cluster.name}: ${serverUrl(cluster)}`,
      ...cluster.nodes.map((node) => `  ${node.name}  ${node.address}  ${node.zone}  pods ${node.podCidr}`),
    ]),
    `kubeconfig (contexts a and b): ${kubeconfigPlace(places)}`,
    `logs: ${logPlace(places)}`,
  ];
}
