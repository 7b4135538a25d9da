/**
 * What of a pod Kubernetes' Pod Security keeps out of namespaces that enforce `baseline` or `restricted`: what would give it
 * power over its node. Only controls of `baseline` are judged, so that what is named is privileged by any measure. Pure.
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
import type { Namespace } from '../../kube/client/core.ts';
import { at, type Fields, fieldsOf, has, itemsOf, numberOf, textOf } from './fields.ts';

export const enforceLabel = 'pod-security.kubernetes.io/enforce';

/** `undefined`: it enforces nothing, as far as its labels say. */
export function enforcedLevel({ metadata }: Pick<Namespace, 'metadata'>): 'baseline' | 'restricted' | undefined {
  const level = metadata.labels?.[enforceLabel];
  return level === 'baseline' || level === 'restricted' ? level : undefined;
}

/**
 * Whether movers may run there as they are by default: as root with the few capabilities that `baseline` allows, as they set
 * owners, modes and attributes of files that belong to anybody. `restricted` allows no root (agent/migration/find-identity.ts).
 */
export const admitsRoot = (namespace: Pick<Namespace, 'metadata'>): boolean =>
  enforcedLevel(namespace) !== 'restricted';

/** The first thing that `baseline` does not admit, as a clause; `undefined`: nothing is privileged. */
export function whyPrivileged(pod: Fields): string | undefined {
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) if (pod[field] === true) return `it has ${field}`;
  const hostPath = itemsOf(pod.volumes).find((volume) => has(volume, ['hostPath']));
  if (hostPath !== undefined) return `volume ${textOf(at(hostPath, ['name']))} is a path of the node`;
  const odd = oddContext(fieldsOf(pod.securityContext));
  if (odd !== undefined) return `it has ${odd}`;
  const sysctl = itemsOf(at(pod, ['securityContext', 'sysctls']))
    .map((one) => textOf(at(one, ['name'])) ?? '')
    .find((name) => !safeSysctls.has(name));
  if (sysctl !== undefined) return `it sets sysctl ${sysctl}`;
  for (const container of ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) =>
    itemsOf(pod[list]),
  )) {
    const why = whyContainer(fieldsOf(container));
    if (why !== undefined) return `container ${textOf(at(container, ['name']))} ${why}`;
  }
  return undefined;
}

function whyContainer(container: Fields): string | undefined {
  const context = fieldsOf(container.securityContext);
  if (context.privileged === true) return 'is privileged';
  const added = itemsOf(at(context, ['capabilities', 'add'])).map((one) => textOf(one) ?? '');
  const capability = added.find((one) => !plainCapabilities.has(one));
  if (capability !== undefined) return `adds capability ${capability}`;
  const port = itemsOf(container.ports).find((one) => (numberOf(at(one, ['hostPort'])) ?? 0) !== 0);
  if (port !== undefined) return `has hostPort ${numberOf(at(port, ['hostPort']))}`;
  const mount = textOf(context.procMount) ?? 'Default';
  if (mount !== 'Default') return `has procMount ${mount}`;
  const odd = oddContext(context);
  return odd === undefined ? undefined : `has ${odd}`;
}

/** Of a pod or of a container. */
function oddContext(context: Fields): string | undefined {
  if (at(context, ['windowsOptions', 'hostProcess']) === true) return 'hostProcess';
  for (const profile of ['seccompProfile', 'appArmorProfile'])
    if (textOf(at(context, [profile, 'type'])) === 'Unconfined') return `${profile} Unconfined`;
  const type = textOf(at(context, ['seLinuxOptions', 'type'])) ?? '';
  if (!seLinuxTypes.has(type)) return `seLinuxOptions.type ${type}`;
  const owner = ['user', 'role'].find((name) => (textOf(at(context, ['seLinuxOptions', name])) ?? '') !== '');
  return owner === undefined ? undefined : `seLinuxOptions.${owner}`;
}

const plainCapabilities: ReadonlySet<string> = new Set([
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE'],
  ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
]);

const seLinuxTypes: ReadonlySet<string> = new Set([
  ...['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'],
]);

const safeSysctls: ReadonlySet<string> = new Set([
  ...['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_unprivileged_port_start'],
  ...['net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_local_reserved_ports'],
  ...['net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl'],
  ...['net.ipv4.tcp_keepalive_probes', 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'],
]);
