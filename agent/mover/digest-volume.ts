/** The digest of a whole volume, read now. */
import type { Counts } from './contract.ts';
import type { Entry } from './entry.ts';
import { scanRecords } from './scan-records.ts';
import { digestBatch, type ScannedBatch, type ScannedItem, type ScanOptions, scanVolume } from './scan-volume.ts';
import { sumCounts } from './settle.ts';
import { type TreeDigest, treeDigester } from './tree-digest.ts';

/**
 * The digest of a volume as it is now. @param onProgress is told after each batch
 * @param besides makes of entries what they should be: then `other` is the digest of that
 */
export async function digestVolume(
  options: Omit<ScanOptions, 'onFound'>,
  onProgress?: (batch: ScannedBatch) => void,
  besides?: (entry: Entry) => Entry,
): Promise<TreeDigest & { readonly warnings: Counts; readonly bytesRead: number; readonly other?: TreeDigest }> {
  const digester = treeDigester();
  const other = besides === undefined ? undefined : treeDigester();
  let warnings: Counts = {};
  let bytesRead = 0;
  const isUnknown = options.known === undefined && options.kind === 'files' && besides === undefined;
  for await (const batch of isUnknown ? scanRecords(options) : scanVolume(options)) {
    digestBatch(digester, batch);
    if (other !== undefined && besides !== undefined) digestBatch(other, { items: batch.items.map(likeSent(besides)) });
    warnings = sumCounts(warnings, batch.warnings);
    bytesRead += batch.bytesRead;
    onProgress?.(batch);
  }
  const told = other === undefined ? {} : { other: other.finish() };
  return { ...digester.finish(), ...told, warnings, bytesRead };
}

const likeSent =
  (besides: (entry: Entry) => Entry) =>
  (item: ScannedItem): ScannedItem =>
    item.is === 'entry' ? { ...item, entry: besides(item.entry) } : item;
