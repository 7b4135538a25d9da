/** Which ClusterPairs we have seen and which pair id is whose: memory that a restart fills anew. */
export interface KnownPairs {
  /** uids ever seen under that `namespace/name` and not forgotten. */
  uidsOf(key: string): readonly string[];
  keyOf(uid: string): string | undefined;
  uidOf(pairId: string): string | undefined;
  see(key: string, uid: string): void;
  name(uid: string, pairId: string): void;
  forget(uid: string): void;
}

export function createKnownPairs(): KnownPairs {
  const keys = new Map<string, string>();
  const pairIds = new Map<string, string>();
  const uidsWith = (map: ReadonlyMap<string, string>, value: string) =>
    [...map].filter(([, held]) => held === value).map(([uid]) => uid);
  return {
    uidsOf: (key) => uidsWith(keys, key),
    keyOf: (uid) => keys.get(uid),
    uidOf: (pairId) => uidsWith(pairIds, pairId)[0],
    see: (key, uid) => void keys.set(uid, key),
    name: (uid, pairId) => void pairIds.set(uid, pairId),
    forget(uid) {
      keys.delete(uid);
      pairIds.delete(uid);
    },
  };
}
