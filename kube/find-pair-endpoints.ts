/** Where peers can reach a cluster's agent: what its installer was told, a load balancer, else nodes' addresses. */
import { agentNamespace, pairEndpointAnnotation, pairServiceName } from '../crds/agent-names.ts';
import type { KubeClient } from './client/client.ts';
import { core, type Node, type Service } from './client/core.ts';

/** A few are enough for one to be up. */
const maxEndpoints = 4;

/** `NotInstalled` without the agent's Service; empty when the agent is there and no address is known. */
export async function findPairEndpoints(
  client: KubeClient,
  signal?: AbortSignal,
): Promise<readonly string[] | 'NotInstalled'> {
  const key = { namespace: agentNamespace, name: pairServiceName };
  const service = await client.find(core.services, key, { signal });
  if (service === undefined) return 'NotInstalled';
  const known = endpointsOfService(service);
  if (known.length > 0) return known;
  const nodes: Node[] = [];
  for await (const node of client.list(core.nodes, { signal })) nodes.push(node);
  return endpointsOfNodes(service, nodes);
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
