/** What verify has to say, each thing with the object it is about. */
export const findingKinds = [
  /** An index or a restore point names it, and it isn't there. */
  'missing',
  /** It is longer or shorter than what an index says. */
  'wrong-size',
  /** Its bytes are not those that its name or its seal say. */
  'altered',
  /** Its bytes are authentic and make no sense: the writer was wrong. */
  'invalid',
  /** A pack that no index names: of an unfinished backup, or an index is lost. No harm when no restore point is affected. */
  'unindexed',
  /** It was there, and no command of ours removed it; stock restic, or somebody else, did. */
  'gone',
  /** A command of ours began to remove it, and did not end. */
  'unfinished',
  /** A restore point of ours that the ledger does not know. */
  'unrecorded',
] as const;
export type FindingKind = (typeof findingKinds)[number];

export interface Finding {
  /** Its name in the store: `data/ab/ab…`. */
  readonly object: string;
  readonly kind: FindingKind;
  readonly message: string;
}

/** One file, directory or other entry of a restore point that can't be restored as it was. */
export interface AffectedFile {
  /** `snapshots/ID`, or a manifest's name. */
  readonly restorePoint: string;
  /** From the restore point's root; bytes as latin1 text. A directory stands for everything in it. */
  readonly path: string;
  readonly type: 'file' | 'dir';
  /** Objects that it needed, where they are known. */
  readonly objects: readonly string[];
}

export interface AffectedFiles {
  /** The first of them. */
  readonly affected: readonly AffectedFile[];
  readonly affectedCount: number;
}

export interface VerifyReport extends AffectedFiles {
  /** Damage: a restore point, or what is needed to read one, is not whole. Without `unindexed`. */
  readonly damage: readonly Finding[];
  /** Restore points and key slots that disappeared without a record: removed by stock restic, which keeps none, or by somebody who should not. */
  readonly gone: readonly Finding[];
  /** Worth knowing, nothing is lost. */
  readonly notes: readonly Finding[];
  readonly checked: VerifyCounts;
}

export interface VerifyCounts {
  readonly restorePoints: number;
  readonly indexes: number;
  readonly packs: number;
  readonly blobs: number;
  readonly trees: number;
  /** Packs of which every byte was read. */
  readonly packsRead: number;
  readonly bytesRead: number;
}
