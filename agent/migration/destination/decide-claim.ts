/**
 * What a destination may do with one incoming claim, from facts alone. The rules of DESIGN part 5: a claim that is not
 * there is filled fresh; one that came through this pair is updated, if nobody uses it; everything else is refused by
 * name, because the only good copy may be the one we would write over. Who really wants that says so
 * (`spec.overwriteDestination`); a snapshot is then taken first and kept.
 */

export interface IncomingClaim {
  readonly namespace: string;
  readonly name: string;
  readonly pairId: string;
  readonly sizeBytes: bigint;
  readonly volumeMode: 'Filesystem' | 'Block';
  /** The StorageClass to provision from, after mapping. */
  readonly storageClass: string | undefined;
}

export interface ExistingClaim {
  readonly uid: string;
  readonly phase: string;
  readonly terminating: boolean;
  readonly sizeBytes: bigint;
  readonly volumeMode: 'Filesystem' | 'Block';
  readonly storageClass: string | undefined;
}

/** Our memory of a claim's last complete point (ConfigMap `stork-claim-…`). */
export interface ClaimMemory {
  readonly claimUid: string;
  readonly pairId: string;
  readonly digest: string;
  readonly point: number;
}

export interface ClaimFacts {
  readonly incoming: IncomingClaim;
  readonly existing: ExistingClaim | undefined;
  readonly memory: ClaimMemory | undefined;
  /** Pods that mount the claim and have not ended. */
  readonly activePods: readonly string[];
  /** Another unfinished operation that writes this claim. */
  readonly busyWith: string | undefined;
  readonly storageClasses: readonly {
    readonly name: string;
    readonly isDefault: boolean;
    readonly canGrow: 'Yes' | 'No';
  }[];
  readonly overwrite: 'Refuse' | 'Overwrite';
}

export type ClaimDecision =
  | { readonly do: 'fill'; readonly storageClass: string }
  | {
      readonly do: 'update';
      /** The digest the volume must still have; `undefined` when it may be overwritten whatever it holds. */
      readonly expectDigest: string | undefined;
      /** Pods whose workloads must be scaled down first (only with Overwrite). */
      readonly scaleDown: readonly string[];
    }
  | { readonly do: 'refuse'; readonly code: string; readonly message: string; readonly hint: string };

export function decideClaim(facts: ClaimFacts): ClaimDecision {
  const { incoming, existing } = facts;
  const claim = `persistentvolumeclaim ${incoming.namespace}/${incoming.name}`;
  if (facts.busyWith !== undefined)
    return refuse(
      'DestinationBusy',
      `${claim} is being written by ${facts.busyWith}`,
      'Wait for it to end, or delete that Migration where it was made.',
    );
  if (existing === undefined) return decideFresh(facts, claim);
  if (existing.terminating)
    return refuse(
      'ClaimTerminating',
      `${claim} on the destination is being deleted`,
      'Wait until it is gone, then migrate again.',
    );
  if (existing.phase !== 'Bound')
    return refuse(
      'ClaimNotBound',
      `${claim} exists on the destination but is ${existing.phase}`,
      'Delete it, or let it bind, then migrate again.',
    );
  if (existing.volumeMode !== incoming.volumeMode)
    return refuse(
      'VolumeModeDiffers',
      `${claim} is ${existing.volumeMode} on the destination and ${incoming.volumeMode} on the source`,
      'Delete the destination claim if it is not needed.',
    );
  const hindrance = existing.sizeBytes < incoming.sizeBytes ? whyNotGrown(facts, existing) : undefined;
  if (hindrance !== undefined)
    return refuse(
      'DestinationTooSmall',
      `${claim} has ${existing.sizeBytes} bytes on the destination and ${incoming.sizeBytes} on the source`,
      hindrance,
    );
  return decideExisting(facts, existing, claim);
}

/** What to do about a claim that can't simply follow its source; `undefined` when it can. */
function whyNotGrown({ storageClasses, overwrite }: ClaimFacts, existing: ExistingClaim): string | undefined {
  const found = storageClasses.find(({ name }) => name === existing.storageClass);
  if (found?.canGrow !== 'Yes')
    return `Its StorageClass ${existing.storageClass ?? '(none)'} does not allow expansion: set allowVolumeExpansion there, or delete the claim if it is not needed.`;
  // The digest of a device covers its size: what it held as a smaller one can't be told any more.
  return existing.volumeMode === 'Block' && overwrite === 'Refuse'
    ? 'A raw block volume that has grown is sent anew with --overwrite-destination.'
    : undefined;
}

function decideFresh(facts: ClaimFacts, claim: string): ClaimDecision {
  const wanted = facts.incoming.storageClass;
  if (wanted !== undefined) {
    if (facts.storageClasses.some((storageClass) => storageClass.name === wanted))
      return { do: 'fill', storageClass: wanted };
    const names =
      facts.storageClasses
        .map((storageClass) => storageClass.name)
        .sort()
        .join(', ') || 'none';
    const mapped = (facts.storageClasses.find(({ isDefault }) => isDefault) ?? facts.storageClasses[0])?.name ?? 'NAME';
    return refuse(
      'StorageClassMissing',
      `StorageClass ${wanted} of ${claim} does not exist on the destination (it has: ${names})`,
      `Create it there, or map the class that the claim has on the source: --storage-class-mapping CLASS=${mapped}.`,
    );
  }
  const byDefault = facts.storageClasses.find((storageClass) => storageClass.isDefault);
  if (byDefault !== undefined) return { do: 'fill', storageClass: byDefault.name };
  return refuse(
    'StorageClassMissing',
    `${claim} names no StorageClass and the destination has no default one`,
    'Mark one StorageClass there as default.',
  );
}

function decideExisting(facts: ClaimFacts, existing: ExistingClaim, claim: string): ClaimDecision {
  const { memory, incoming } = facts;
  const overwrite = facts.overwrite === 'Overwrite';
  if (facts.activePods.length > 0 && !overwrite)
    return refuse(
      'DestinationActive',
      `${claim} is in use on the destination by pod ${facts.activePods.join(', ')}`,
      'The destination is the active side. Deactivate it first, or discard its changes with --overwrite-destination.',
    );
  const ours = memory !== undefined && memory.claimUid === existing.uid && memory.pairId === incoming.pairId;
  if (ours && !overwrite) return { do: 'update', expectDigest: memory.digest, scaleDown: [] };
  if (overwrite) return { do: 'update', expectDigest: undefined, scaleDown: facts.activePods };
  return refuse(
    'ClaimNotOurs',
    `${claim} exists on the destination and did not come through this pair`,
    'Delete it there if it is not needed, or replace its content with --overwrite-destination (a snapshot is kept).',
  );
}

const refuse = (code: string, message: string, hint: string): ClaimDecision => ({ do: 'refuse', code, message, hint });
