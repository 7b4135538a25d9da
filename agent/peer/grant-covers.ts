/**
 * Which namespaces a grant covers. `*` means the namespaces of users: those the cluster runs on, and the agent's own, hold
 * keys to everything, so whoever wants one of them names it. Pure.
 */
import { agentNamespace } from '../../crds/agent-names.ts';

const systemNamespaces: ReadonlySet<string> = new Set([
  'kube-node-lease',
  'kube-public',
  'kube-system',
  agentNamespace,
]);

export function grantCovers(granted: readonly string[], namespace: string): boolean {
  return granted.includes(namespace) || (granted.includes('*') && !systemNamespaces.has(namespace));
}
