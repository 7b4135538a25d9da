/** What there is to say of fields that only Stork's ClusterPairs have; none of it keeps a pair from being Ready. Pure. */
import type { ClusterPair, ClusterPairStatus, Condition } from '../../crds/v1alpha1/index.ts';

type Notice = Pick<Condition, 'status' | 'reason' | 'message'>;

export interface StorkNotices {
  readonly InlineCredentials: Notice | undefined;
  readonly StorageOptions: Notice | undefined;
}

export function describeStorkFields(pair: ClusterPair, paired: 'Yes' | 'No'): StorkNotices {
  return { InlineCredentials: inlineCredentials(pair, paired), StorageOptions: storageOptions(pair) };
}

/** Volumes travel over the link, so its state is the storage's too, unless a storage system's own pairing is asked for. */
export function storageStateOf(
  pair: ClusterPair,
  link: ClusterPairStatus['storageStatus'],
): ClusterPairStatus['storageStatus'] {
  return storageOptions(pair) === undefined ? link : 'NotProvided';
}

function inlineCredentials({ spec }: ClusterPair, paired: 'Yes' | 'No'): Notice | undefined {
  const fields = [
    ...(spec.config === undefined ? [] : ['spec.config']),
    ...((spec.options?.token ?? '') === '' ? [] : ['spec.options.token']),
  ];
  if (fields.length === 0) return undefined;
  const advice =
    spec.config === undefined || paired === 'No'
      ? 'Prefer `kubectl stork pair create`, which leaves no credential behind.'
      : 'The pair needs them no longer: remove spec.config, and it stays.';
  const message = `${fields.join(' and ')} of this object may hold credentials, for everybody who can read it. ${advice}`;
  return { status: 'True', reason: 'InlineCredentials', message };
}

/** What `storkctl generate` writes where options were to be filled in. */
const placeholder = /^<?insert_storage_options_here>?$/;

function storageOptions({ spec }: ClusterPair): Notice | undefined {
  const names = Object.keys(spec.options ?? {}).filter((name) => !placeholder.test(name));
  if (names.length === 0) return undefined;
  const message = `spec.options (${names.join(', ').slice(0, 500)}) are for a storage system's own pairing, and no storage driver here has one, so they are not used. Volumes travel over the pair's link.`;
  return { status: 'False', reason: 'StorageOptionsUnused', message };
}
