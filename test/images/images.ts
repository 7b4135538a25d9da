/**
 * The images of the test bed, built locally without a registry and cached
 * outside the checkout: `ensureImage('mariadb')` gives the path of an archive.
 *
 * The cache's key is the content of this folder's files for the image, so an
 * edited entry point builds anew.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureBinaries, type Report } from '../testbed/binaries.ts';
import { withLock } from '../testbed/lock.ts';
import { findPlaces } from '../testbed/places.ts';
import { runCommand, runScript } from '../testbed/run-command.ts';
import { type ImagePlan, writeImageArchive } from './archive.ts';
import { findDistribution } from './distribution.ts';

export const imageNames = ['pause', 'toolbox', 'mariadb', 'postgresql', 'redis'] as const;
export type ImageName = (typeof imageNames)[number];

interface ImageRecipe {
  /** Builds the root file system into the given empty folder's `layer.tar`. */
  readonly build: (folder: string, report: Report) => Promise<void>;
  readonly image: Omit<ImagePlan, 'layer' | 'reference'>;
}

const buildLimitMs = 1_200_000;

const recipes: Readonly<Record<ImageName, ImageRecipe>> = {
  pause: {
    build: async (folder, report) => {
      const binaries = await ensureBinaries(['pause'], report);
      await runScript(
        'cd "$1" && mkdir root && cp "$2" root/pause && tar --numeric-owner --owner=0 --group=0 -C root -cf layer.tar .',
        [folder, binaries.path('pause')],
      );
    },
    image: { entrypoint: ['/pause'] },
  },
  toolbox: {
    build: (folder) => runScript(toolboxScript, [folder]).then(() => undefined),
    image: { entrypoint: [], command: ['sh'] },
  },
  mariadb: {
    build: (folder, report) => buildDebian({ folder, packages: ['mariadb-server'], entrypoint: 'mariadb.sh', report }),
    image: { entrypoint: ['/entrypoint.sh'], command: ['mariadbd'] },
  },
  postgresql: {
    build: (folder, report) => buildDebian({ folder, packages: ['postgresql'], entrypoint: 'postgresql.sh', report }),
    image: { entrypoint: ['/entrypoint.sh'], command: ['postgres'], env: ['PGDATA=/var/lib/postgresql/data'] },
  },
  redis: {
    build: (folder, report) => buildDebian({ folder, packages: ['redis-server'], entrypoint: 'redis.sh', report }),
    image: { entrypoint: ['/entrypoint.sh'], command: ['redis-server'], workingFolder: '/data' },
  },
};

/**
 * busybox with its applets as links, getfattr and setfattr, and the users that
 * programs expect. A static glibc program loads the resolver at run time, so
 * the C library's files are needed for names.
 */
const toolboxScript = `cd "$1"; mkdir -p root/bin root/etc root/tmp root/proc root/sys root/dev root/root root/var/tmp
cp "$(command -v busybox)" root/bin/busybox
for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "root/bin/$applet"; done
libc=$(dirname "$(ldd /bin/cat | sed -n 's/.*=> \\(.*libc.so.6\\).*/\\1/p')")
for file in $libc/libresolv.so.2 $libc/libnss_dns.so.2 $libc/libnss_files.so.2; do mkdir -p "root$libc"; cp "$file" "root$libc/"; done
for program in getfattr setfattr; do
  cp "$(command -v $program)" root/bin/
  for file in $(ldd "$(command -v $program)" | grep -o '/[^ ]*'); do mkdir -p "root$(dirname "$file")"; cp "$file" "root$file"; done
done
printf 'hosts: files dns\\n' > root/etc/nsswitch.conf
printf 'root:x:0:0:root:/root:/bin/sh\\nnobody:x:65534:65534:nobody:/:/bin/false\\n' > root/etc/passwd
printf 'root:x:0:\\nnogroup:x:65534:\\n' > root/etc/group
chmod 1777 root/tmp root/var/tmp
tar --numeric-owner --owner=0 --group=0 -C root -cf layer.tar .`;

export function imageReference(name: ImageName): string {
  return `stork.test/${name}:1`;
}

export function parseImageName(text: string): ImageName | undefined {
  return imageNames.find((name) => name === text);
}

/** Builds on first use (a database about a minute and a half), then from the cache. @returns the archive's path. */
export async function ensureImage(name: ImageName, report: Report = () => {}): Promise<string> {
  const folder = join(findPlaces().cache, 'images');
  const archive = join(folder, `${name}-${await contentKey(name)}.tar`);
  if (existsSync(archive)) return archive;
  await mkdir(folder, { recursive: true });
  await withLock(
    `${archive}.lock`,
    (pid) => report(`process ${pid} is building the image ${name}: waiting for it`),
    async () => {
      if (!existsSync(archive)) await buildImage(name, archive, report);
    },
  );
  return archive;
}

async function buildImage(name: ImageName, archive: string, report: Report): Promise<void> {
  const startedAt = Date.now();
  report(`building the image ${imageReference(name)}`);
  const folder = `${archive}.building`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const recipe = recipes[name];
  await recipe.build(folder, report);
  const plan = { ...recipe.image, reference: imageReference(name), layer: join(folder, 'layer.tar') };
  await writeImageArchive(plan, archive);
  await rm(folder, { recursive: true, force: true });
  report(`built the image ${imageReference(name)} in ${Math.round((Date.now() - startedAt) / 1000)} s`);
}

interface DebianImage {
  readonly folder: string;
  readonly packages: readonly string[];
  readonly entrypoint: string;
  readonly report: Report;
}

/** A Debian root file system with the packages, and our entry point as /entrypoint.sh. */
async function buildDebian({ folder, packages, entrypoint }: DebianImage): Promise<void> {
  const source = join(import.meta.dirname, entrypoint);
  const flags = [
    '--variant=apt',
    `--include=${packages.join(',')}`,
    '--aptopt=APT::Install-Recommends "false"',
    `--customize-hook=copy-in ${source} /`,
    `--customize-hook=chroot "$1" sh -c 'mv /${entrypoint} /entrypoint.sh; chmod 755 /entrypoint.sh; mkdir -p /data'`,
    '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/usr/share/doc/*',
  ];
  const { suite, sources } = await findDistribution();
  await runCommand('mmdebstrap', [...flags, suite, join(folder, 'layer.tar'), ...sources], { timeoutMs: buildLimitMs });
}

async function contentKey(name: ImageName): Promise<string> {
  const recipe = JSON.stringify(recipes[name].image) + (name === 'toolbox' ? toolboxScript : '');
  const hash = createHash('sha256').update(`${process.arch} ${(await findDistribution()).suite} ${recipe}`);
  const files = (await readdir(import.meta.dirname)).filter((file) => file === `${name}.sh`);
  for (const file of files) hash.update(await readFile(join(import.meta.dirname, file)));
  return hash.digest('hex').slice(0, 12);
}
