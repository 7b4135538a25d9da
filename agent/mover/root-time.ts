/**
 * The time of a volume's root, which marking it with a file changes for a moment: written down before, so that a mover that is killed in that
 * moment sets it when it carries out its plan again. Else every later attempt would find the root unlike the source's.
 */
import { existsSync, lstatSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { errnoOf } from './mover-error.ts';
import type { ByteString, Syscalls } from './syscalls.ts';

/** Before the root is marked for the first time: what an earlier try noted stays. It is on storage, and whole, afterwards. */
export function noteRootTime(file: string, root: ByteString): void {
  if (existsSync(file)) return;
  const { mtimeNs } = lstatSync(Buffer.from(root, 'latin1'), { bigint: true });
  writeFileSync(`${file}.new`, `${mtimeNs}`, { flush: true });
  renameSync(`${file}.new`, file);
}

/** Before a plan is carried out: what that sets itself, it sets after this. */
export function restoreRootTime(file: string, root: ByteString, syscalls: Syscalls): void {
  if (!existsSync(file)) return;
  const noted = readFileSync(file, 'latin1');
  if (!/^-?\d{1,20}$/.test(noted)) return;
  try {
    syscalls.setMtime(root, BigInt(noted));
  } catch (error) {
    // Who may not set it, as the root is another's, has not changed it either: there the mark is an attribute, or can't be made at all.
    if (!['EPERM', 'EACCES'].includes(errnoOf(error) ?? '')) throw error;
  }
}
