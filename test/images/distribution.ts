/**
 * Which Debian or Ubuntu the images are made of: the machine's own, from the
 * package sources that it uses itself; on any other system, Debian stable.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export interface Distribution {
  readonly suite: string;
  /** Files with apt's sources for mmdebstrap; empty: its own default for the suite. */
  readonly sources: readonly string[];
}

/** Only the distribution's own files: third parties' are not needed, and may want keys. */
const sourceFiles: readonly string[] = [
  '/etc/apt/sources.list',
  '/etc/apt/sources.list.d/debian.sources',
  '/etc/apt/sources.list.d/ubuntu.sources',
];

const fallback: Distribution = { suite: 'bookworm', sources: [] };

export async function findDistribution(): Promise<Distribution> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const suite = findCodename(text);
  if (suite === undefined) return fallback;
  return { suite, sources: sourceFiles.filter((file) => existsSync(file)) };
}

/** @returns undefined for a system that is neither Debian nor Ubuntu. */
export function findCodename(osRelease: string): string | undefined {
  const fields = new Map(
    osRelease.split('\n').map((line) => {
      const [key = '', value = ''] = line.split('=');
      return [key, value.replaceAll('"', '')] as const;
    }),
  );
  const isKnown = ['debian', 'ubuntu'].includes(fields.get('ID') ?? '');
  return isKnown ? fields.get('VERSION_CODENAME') : undefined;
}
