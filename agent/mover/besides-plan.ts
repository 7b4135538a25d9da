/**
 * Whether a raw device, an update of which was interrupted, is what its scan found wherever the plan writes nothing. A device has
 * no room for a mark and no change times, so its content is all there is to tell another writer by. What the plan writes may
 * be old, new or half of each: of that nothing is known until all of it is read back.
 */
import { decodeOperation } from './plan.ts';
import { openRecordCursor, type RecordCursor } from './record-file.ts';
import { type ScanOptions, scanVolume } from './scan-volume.ts';
import { stagingFiles } from './staging.ts';
import { openTreeCursor } from './tree-file.ts';

/** Reads the whole device. @param directory of the volume's staging, with the index of its scan and the plan */
export async function isUntouchedBesidesPlan(directory: string, options: ScanOptions): Promise<boolean> {
  const files = stagingFiles(directory);
  const index = openTreeCursor(files.index);
  index.nextEntry();
  const plan = openRecordCursor(files.plan);
  try {
    let planned = nextPlanned(plan);
    let segment = 0;
    for await (const { items } of scanVolume(options)) {
      for (const item of items) {
        if (item.is !== 'segment') continue;
        const before = index.nextSegment()?.hash;
        if (planned === segment) planned = nextPlanned(plan);
        else if (before?.equals(item.hash) !== true) return false;
        segment++;
      }
    }
    return true;
  } finally {
    index.close();
    plan.close();
  }
}

/** Writes are planned in walk order. */
function nextPlanned(plan: RecordCursor): number | undefined {
  for (let next = plan.next(); next !== undefined; next = plan.next()) {
    const operation = decodeOperation(next.record);
    if (operation.do === 'write') return operation.target.segment;
  }
  return undefined;
}
