/** Where everything lives that is costly to get and may be thrown away: outside the checkout, shared by all checkouts. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$XDG_CACHE_HOME/stork` or `~/.cache/stork`, with `parts` below it. Not created. */
export function cacheFolder(...parts: readonly string[]): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'stork', ...parts);
}
