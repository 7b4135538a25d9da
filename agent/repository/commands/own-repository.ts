/** A repository in a directory may lie in what is saved. Saved into itself, it would grow by its own size each time. */
import { realpathSync } from 'node:fs';
import { leavingOut, type PathFilter } from '../select-paths.ts';
import { parseStoreAddress } from '../store/store-address.ts';
import { wrongArgument } from './care-arguments.ts';
import { toBytes } from './path-text.ts';

/**
 * What to leave out, and that it is left out. @param paths that are saved, absolute
 * @throws `ArgumentInvalid` for the repository itself, or a part of it
 */
export function withoutRepository(
  excludes: PathFilter,
  { place, paths, warn }: { readonly place: string; readonly paths: readonly string[]; warn(line: string): void },
): PathFilter {
  const address = parseStoreAddress(place);
  if (address.kind !== 'Directory') return excludes;
  const own = realpathSync(address.path);
  const itself = paths.find((path) => `${path}/`.startsWith(`${own}/`));
  if (itself !== undefined) throw wrongArgument('A repository is not saved into itself', itself);
  if (!paths.some((path) => own.startsWith(path === '/' ? path : `${path}/`))) return excludes;
  warn(`${own}: the repository itself, left out`);
  return leavingOut(excludes, toBytes(own));
}
