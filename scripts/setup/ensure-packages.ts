/** Installs the Debian packages that the tests, the demo and the build call, as root; else says which and what for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../run-command.ts';
import { decideMissingPackages } from './decide-missing-packages.ts';
import type { Lack } from './lack.ts';

interface Group {
  readonly packages: readonly string[];
  readonly disables: string;
  readonly essential: boolean;
}

/** Warm: one call of dpkg-query. */
export async function ensurePackages(say: (line: string) => void): Promise<readonly Lack[]> {
  const groups = readGroups();
  const wanted = groups.flatMap(({ packages }) => packages);
  const goIsPresent = await succeeds('go', ['version']);
  const installed = await installedPackages();
  if (installed === undefined) {
    const what = 'apt: this is no Debian or Ubuntu; bring the programs that test/testbed/packages.json names yourself';
    return (await succeeds('containerd', ['--version'])) ? [] : [{ ...groups[0], what }];
  }
  const lacking = decideMissingPackages(wanted, installed, { goIsPresent });
  if (lacking.length === 0) return [];
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await install(lacking, say);
  const still = new Set(decideMissingPackages(wanted, (await installedPackages()) ?? new Set(), { goIsPresent }));
  return groups.flatMap(({ packages, disables, essential }) => {
    const absent = packages.filter((name) => still.has(name));
    if (absent.length === 0) return [];
    const why = isRoot ? 'which apt does not have here' : `(as root: apt-get install ${absent.join(' ')})`;
    return [
      { what: `${absent.length === 1 ? 'package' : 'packages'} ${absent.join(' ')}, ${why}`, disables, essential },
    ];
  });
}

function readGroups(): readonly [Group, Group, Group] {
  const read = (file: string): Record<string, readonly string[]> =>
    JSON.parse(readFileSync(join(import.meta.dirname, '../..', file), 'utf8'));
  const testbed = read('test/testbed/packages.json');
  const own = read('scripts/setup/packages.json');
  return [
    {
      packages: testbed.testbed ?? [],
      disables: 'two-cluster test bed: npm run demo, npm run testbed, end-to-end tests',
      essential: true,
    },
    {
      packages: testbed.build ?? [],
      disables: "building of the clusters' programs (KUBEBUILDER_ASSETS and PATH are looked at first)",
      essential: true,
    },
    {
      packages: own.release ?? [],
      disables: 'stripping of linux-arm64 executables, and running them here',
      essential: false,
    },
  ];
}

/** One after the other when together fails, so that one unknown name does not keep the rest away. */
async function install(names: readonly string[], say: (line: string) => void): Promise<void> {
  say(`installing ${names.join(' ')} (apt-get) …`);
  const startedMs = performance.now();
  const apt = (args: readonly string[]) =>
    runCommand('apt-get', ['-qq', ...args], { env: { DEBIAN_FRONTEND: 'noninteractive' } });
  const get = (wanted: readonly string[]) => apt(['install', '-y', '--no-install-recommends', ...wanted]);
  try {
    await get(names);
  } catch {
    // Most often a fresh system without package lists.
    await apt(['update']).catch(() => undefined);
    await get(names).catch(async () => {
      for (const name of names) await get([name]).catch(() => undefined);
    });
  }
  say(`packages: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

/** Undefined where there is no dpkg. */
async function installedPackages(): Promise<ReadonlySet<string> | undefined> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in, not JavaScript
  const format = '--showformat=${db:Status-Abbrev}${binary:Package}\\n';
  const list = await runCommand('dpkg-query', ['--show', format]).catch(() => undefined);
  const installed = list?.split('\n').filter((line) => line.startsWith('ii'));
  return installed === undefined
    ? undefined
    : new Set(installed.map((line) => line.slice(2).trim().replace(/:.*$/, '')));
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  return await runCommand(program, args).then(
    () => true,
    () => false,
  );
}
