/** Which claims a pod may write to: a mount that is read-only writes nothing. Pure. */
import type { Pod, StatefulSet } from '../../../kube/client/core.ts';

export type PodSpec = NonNullable<Pod['spec']>;

export function writtenClaims(spec: PodSpec | undefined): readonly string[] {
  if (spec === undefined) return [];
  const containers = [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
  const isReadOnly = (volume: string): boolean => {
    const mounts = containers.flatMap(({ volumeMounts = [] }) => volumeMounts.filter(({ name }) => name === volume));
    const devices = containers.some(({ volumeDevices = [] }) => volumeDevices.some(({ name }) => name === volume));
    // Not mounted at all says nothing: somebody may do it through the kubelet's directory.
    return !devices && mounts.length > 0 && mounts.every(({ readOnly }) => readOnly === true);
  };
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim: source }) =>
    source === undefined || source.readOnly === true || isReadOnly(name) ? [] : [source.claimName],
  );
}

/** `<template>-<set>-<ordinal>`: the claim of one of the set's pods. */
export function isOfTemplate(set: StatefulSet, claim: string): boolean {
  return (set.spec?.volumeClaimTemplates ?? []).some(({ metadata }) => {
    const prefix = `${metadata?.name}-${set.metadata.name}-`;
    return claim.startsWith(prefix) && /^\d+$/.test(claim.slice(prefix.length));
  });
}
