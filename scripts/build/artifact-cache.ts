/**
 * Built files by the digest of what they were built from, so that nothing is built twice, also not in another checkout.
 * A file in dist/ is a hard link to (or a copy of) the one in the cache. The newest few builds of each artifact are kept.
 */
import { copyFile, link, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';

const keptBuilds = 3;

export interface Artifact {
  /** Folder in the cache, for example the file's name. */
  readonly name: string;
  /** Digest of every input. */
  readonly key: string;
  /** Where the file shall appear. */
  readonly destination: string;
}

/**
 * Puts the artifact at its destination; runs `make` only when the cache lacks it.
 * @param make writes the file to the path it is given
 * @returns whether it was made now or found
 */
export async function ensureArtifact(
  artifact: Artifact,
  make: (path: string) => Promise<void>,
): Promise<'made' | 'found'> {
  const folder = cacheFolder('artifacts', artifact.name);
  const stored = join(folder, artifact.key);
  await mkdir(folder, { recursive: true });
  const found = await touch(stored);
  if (!found) {
    const making = `${stored}.${process.pid}.making`;
    try {
      await make(making);
      await rename(making, stored);
    } finally {
      await rm(making, { force: true });
    }
    await forgetOldBuilds(folder);
  }
  await place(stored, artifact.destination);
  return found ? 'found' : 'made';
}

async function touch(path: string): Promise<boolean> {
  const now = new Date();
  return await utimes(path, now, now).then(
    () => true,
    () => false,
  );
}

async function place(stored: string, destination: string): Promise<void> {
  await mkdir(dirname(destination), { recursive: true });
  const arriving = `${destination}.${process.pid}.new`;
  await rm(arriving, { force: true });
  await link(stored, arriving).catch(() => copyFile(stored, arriving));
  await rename(arriving, destination);
  // rename() of two names of one file does nothing and leaves both
  await rm(arriving, { force: true });
}

async function forgetOldBuilds(folder: string): Promise<void> {
  const builds = (await readdir(folder)).filter((name) => !name.endsWith('.making'));
  const aged = await Promise.all(
    builds.map(async (name) => ({
      name,
      usedMs: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0,
    })),
  );
  const old = aged.toSorted((a, b) => b.usedMs - a.usedMs).slice(keptBuilds);
  await Promise.all(old.map(({ name }) => rm(join(folder, name), { force: true })));
}
