/** Where peers can reach this cluster's agent: what the installer was told, a load balancer, else nodes' addresses. */
import { agentNamespace, pairEndpointAnnotation, pairServiceName } from '../../crds/agent-names.ts';
import { core, type Node, type Service } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import type { CommandContext } from '../command.ts';
import type { PairPlace } from './pair-place.ts';

/** A few are enough for one to be up. */
const maxEndpoints = 4;

/** @throws StorkError `NoEndpoint` when nothing is known or the agent isn't installed */
export async function findEndpoints(
  context: CommandContext,
  { client, context: named }: PairPlace,
): Promise<readonly string[]> {
  const key = { namespace: agentNamespace, name: pairServiceName };
  const service = await client.find(core.services, key, { signal: context.signal });
  if (service === undefined) {
    const hint = `Install it with: kubectl stork install --context ${named}`;
    throw new StorkError({ code: 'NoEndpoint', message: `the agent is not installed on ${named}`, hint });
  }
  const known = endpointsOfService(service);
  if (known.length > 0) return known;
  const nodes: Node[] = [];
  for await (const node of client.list(core.nodes, { signal: context.signal })) nodes.push(node);
  const found = endpointsOfNodes(service, nodes);
  if (found.length > 0) return found;
  const hint = 'Name an address that the other cluster can reach: --endpoint HOST:PORT';
  throw new StorkError({
    code: 'NoEndpoint',
    message: `no address of ${named} is known that a peer could reach`,
    hint,
  });
}

export function endpointsOfService(service: Service): readonly string[] {
  const told = service.metadata.annotations?.[pairEndpointAnnotation];
  if (told !== undefined && told !== '') return told.split(',');
  const port = service.spec?.ports?.[0]?.port;
  const balancers = service.status?.loadBalancer?.ingress ?? [];
  return balancers.flatMap(({ hostname, ip }) =>
    (hostname ?? ip) === undefined ? [] : [hostPort(hostname ?? ip ?? '', port ?? 0)],
  );
}

/** External addresses first; a node that isn't Ready comes last. */
export function endpointsOfNodes(service: Service, nodes: readonly Node[]): readonly string[] {
  const port = service.spec?.ports?.find((one) => one.nodePort !== undefined)?.nodePort;
  if (port === undefined) return [];
  const ready = (node: Node) =>
    node.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
  const sorted = [...nodes].sort((one, other) => Number(ready(other)) - Number(ready(one)));
  const addresses = (type: string) =>
    sorted.flatMap((node) =>
      (node.status?.addresses ?? []).filter((one) => one.type === type).map((one) => one.address),
    );
  const external = addresses('ExternalIP');
  return (external.length > 0 ? external : addresses('InternalIP'))
    .slice(0, maxEndpoints)
    .map((host) => hostPort(host, port));
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
