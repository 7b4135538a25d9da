/** Which side is active, in words, because nobody should have to work it out at night. Pure. */
import type { Migration } from '../../../crds/v1alpha1/index.ts';

export interface Sides {
  readonly source: string;
  readonly destination: string;
  readonly spec: Migration['spec'];
}

/** After everything was sent. */
export function activeSideAfter({ source, destination, spec }: Sides): string {
  if (spec.startApplications)
    return `both sides run: ${source} (source) was left running and ${destination} (destination) was started`;
  if (spec.includeResources)
    return `${source} (source) is active; ${destination} (destination) holds a copy that is not started`;
  return spec.includeVolumes
    ? `${source} (source) is active; ${destination} received volumes only`
    : `${source} (source) is active; nothing was to be sent to ${destination}`;
}

/** After a failure. What a migration stops for the copy (`spec.quiesce`) it brings back first. */
export function activeSideAfterFailure(
  { source, spec }: Pick<Sides, 'source' | 'spec'>,
  stage: 'Applications' | 'Earlier',
): string {
  const left = `${source} (source) runs as before`;
  if (stage === 'Earlier') return `${left}; nothing was started on the destination`;
  return spec.startApplications
    ? `${left}; the destination may have been started: look before you use it`
    : `${left}; the destination holds a part of the copy, not started`;
}
