/** Keeps what verification found in volumes, once nothing of ours will touch them any more: the next update begins from there. */
import { lstatSync } from 'node:fs';
import type { KeyedDestination } from './destination-run.ts';
import type { VolumeSpec } from './source-volume.ts';
import type { TreeRecorder } from './tree-cache.ts';
import type { TreeDigest } from './tree-digest.ts';

export interface VolumeKeeper {
  /**
   * Begins the record of a volume; undefined when nothing is kept of it.
   * @param volume its index
   * @param basis whether its scan was helped by what was kept
   */
  record(volume: number, spec: VolumeSpec, basis: 'Known' | 'Read'): TreeRecorder | undefined;
  /** After the marks are gone: their going changed the roots. */
  keep(): void;
  /** What was not kept by now is dropped. */
  drop(): void;
}

export function volumeKeeper(options: KeyedDestination): VolumeKeeper {
  const begun: { readonly spec: VolumeSpec; readonly recorder: TreeRecorder; tree: TreeDigest | undefined }[] = [];
  return {
    record(volume, spec, basis) {
      const recorder = options.caches[volume]?.record(basis, options.key);
      if (recorder === undefined) return undefined;
      const one: (typeof begun)[number] = { spec, recorder, tree: undefined };
      begun.push(one);
      return {
        ...recorder,
        keep(verified) {
          one.tree = verified ?? undefined;
        },
      };
    },
    keep() {
      for (const { spec, recorder, tree } of begun) {
        const { ino, ctimeNs } = lstatSync(Buffer.from(spec.path, 'latin1'), { bigint: true });
        // Whole seconds only: such a file system could hide a change within one of them.
        if (tree === undefined || ctimeNs % 1_000_000_000n === 0n) recorder.drop();
        else recorder.keep(tree, { inode: ino, changedNs: ctimeNs });
      }
    },
    drop() {
      for (const { recorder } of begun) recorder.drop();
    },
  };
}
