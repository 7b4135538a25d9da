/** A VolumeSnapshot in words; of one that the agent keeps: why, until when, and what to do with it. Pure. */
import {
  isManagedByAgent,
  keptBecauseAnnotation,
  keptUntilAnnotation,
  managedByLabel,
} from '../../../crds/agent-names.ts';
import type { VolumeSnapshot } from '../../../kube/client/core.ts';
import { formatTime } from '../format-time.ts';
import { facts } from './section.ts';

export function tellVolumeSnapshot(snapshot: VolumeSnapshot): readonly string[] {
  const { metadata, spec, status } = snapshot;
  const { [keptUntilAnnotation]: until, [keptBecauseAnnotation]: because } = metadata.annotations ?? {};
  const at = `-n ${metadata.namespace}`;
  return [
    facts([
      ['VolumeSnapshot', `${metadata.namespace}/${metadata.name}`],
      ['Of claim', spec.source.persistentVolumeClaimName],
      ['Cut', formatTime(status?.creationTime)],
      ['Size', status?.restoreSize],
      ['Ready', status?.readyToUse === true ? 'yes' : 'not yet'],
      ['Kept because', because],
      ['Removed', isManagedByAgent(metadata) ? describeEnd(until) : 'by whoever deletes it'],
      ['Go back', `a new claim with spec.dataSource VolumeSnapshot ${metadata.name}`],
      [
        'Keep it',
        isManagedByAgent(metadata) && isTime(until)
          ? `kubectl ${at} label volumesnapshot ${metadata.name} ${managedByLabel}-`
          : '',
      ],
      ['Give it up', `kubectl ${at} delete volumesnapshot ${metadata.name}`],
    ]),
  ];
}

const isTime = (until: string | undefined): boolean => !Number.isNaN(Date.parse(until ?? ''));

/** What the agent does about it. */
export function describeEnd(until: string | undefined): string {
  if (until === undefined) return 'with its operation';
  return isTime(until) ? formatTime(until) : 'by whoever deletes it';
}
