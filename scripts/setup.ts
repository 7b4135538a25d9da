/**
 * tidy: import-arrows because the test bed alone knows which programs its clusters need.
 * `npm run setup`: brings what a fresh Debian or Ubuntu lacks for the tests and the demo: packages through apt (as root)
 * and the programs of the test bed's clusters. Prints what it does and how long it took; what can't be had is named
 * together with what that disables. Under a second when nothing is missing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderError } from '../kube/errors.ts';
import { allBinaries, ensureBinaries } from '../test/testbed/binaries.ts';
import { runCommand } from './run-command.ts';
import { decideMissingPackages } from './setup/decide-missing-packages.ts';

/** What a missing group of packages takes away, in the words of the report. */
const groups = [
  { name: 'testbed', disables: 'the two-cluster test bed: npm run demo, npm run testbed and the end-to-end tests' },
  { name: 'build', disables: 'building Kubernetes from its Go modules (set KUBEBUILDER_ASSETS to use yours)' },
  { name: 'release', disables: 'smaller linux-arm64 executables and running them here' },
] as const;

type GroupName = (typeof groups)[number]['name'];

export interface SetupReport {
  /** Empty when everything is there. One sentence each. */
  readonly missing: readonly string[];
}

/** Brings what is missing; never throws for what can't be had, but names it. */
export async function setup(say: (line: string) => void): Promise<SetupReport> {
  const missing = [...(await ensurePackages(say)), ...(await ensurePrograms(say))];
  for (const line of missing) say(`missing: ${line}`);
  return { missing };
}

async function ensurePackages(say: (line: string) => void): Promise<readonly string[]> {
  if (!(await succeeds('dpkg-query', ['--version']))) {
    return ['this is no Debian or Ubuntu; install the programs named in test/testbed/packages.json yourself'];
  }
  const lists = packageLists();
  const wanted = groups.flatMap((group) => lists[group.name]);
  const lacking = decideMissingPackages(wanted, await installedPackages(), {
    goIsPresent: await succeeds('go', ['version']),
  });
  if (lacking.length === 0) return [];
  if (process.getuid?.() !== 0) {
    return [`packages ${lacking.join(' ')}; only root may install them: sudo apt-get install ${lacking.join(' ')}`];
  }
  await timed(`apt-get install ${lacking.join(' ')}`, say, () => install(lacking));
  const still = new Set(
    decideMissingPackages(wanted, await installedPackages(), { goIsPresent: await succeeds('go', ['version']) }),
  );
  return groups.flatMap((group) => {
    const absent = lists[group.name].filter((name) => still.has(name));
    return absent.length === 0
      ? []
      : [`packages ${absent.join(' ')}, which apt can't install here; without them: ${group.disables}`];
  });
}

function packageLists(): Readonly<Record<GroupName, readonly string[]>> {
  const read = (file: string): Record<string, readonly string[]> =>
    JSON.parse(readFileSync(join(import.meta.dirname, '..', file), 'utf8'));
  const testbed = read('test/testbed/packages.json');
  return {
    testbed: testbed.testbed ?? [],
    build: testbed.build ?? [],
    release: read('scripts/setup/packages.json').release ?? [],
  };
}

/** One after the other when together fails, so that one unknown name does not keep the rest away. */
async function install(names: readonly string[]): Promise<void> {
  const apt = (args: readonly string[]) =>
    runCommand('apt-get', ['-qq', ...args], { env: { DEBIAN_FRONTEND: 'noninteractive' } });
  const get = (wanted: readonly string[]) => apt(['install', '-y', '--no-install-recommends', ...wanted]);
  try {
    await get(names);
  } catch {
    await apt(['update']).catch(() => undefined);
    await get(names).catch(async () => {
      for (const name of names) await get([name]).catch(() => undefined);
    });
  }
}

async function installedPackages(): Promise<ReadonlySet<string>> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in, not JavaScript
  const list = await runCommand('dpkg-query', ['--show', '--showformat=${db:Status-Abbrev}${binary:Package}\\n']);
  const installed = list.split('\n').filter((line) => line.startsWith('ii'));
  return new Set(installed.map((line) => line.slice(2).trim().replace(/:.*$/, '')));
}

async function ensurePrograms(say: (line: string) => void): Promise<readonly string[]> {
  try {
    await ensureBinaries(allBinaries, say);
    return [];
  } catch (error) {
    return [`the clusters' programs; without them: ${groups[0].disables}. ${renderError(error)}`];
  }
}

async function timed(what: string, say: (line: string) => void, run: () => Promise<void>): Promise<void> {
  say(`${what} …`);
  const startedMs = performance.now();
  await run();
  say(`${what}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  return await runCommand(program, args).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) {
  const startedMs = performance.now();
  const { missing } = await setup((line) => void process.stderr.write(`setup: ${line}\n`));
  process.stderr.write(
    `setup: ${missing.length === 0 ? 'ready' : 'incomplete'} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)\n`,
  );
  process.exitCode = missing.length === 0 ? 0 : 1;
}
