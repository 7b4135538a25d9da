/**
 * Unpacks the C and C++ libraries of another architecture from Debian's packages into the cache, through an apt
 * configuration of its own, so that the machine's package system stays as it is. For the image's and the tests' sake.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StorkError } from '../../kube/errors.ts';
import { cacheFolder } from '../cache-folder.ts';
import { runCommand } from '../run-command.ts';

const packages = ['libc6', 'libstdc++6', 'libgcc-s1'];

/**
 * @returns a folder with the packages' files, at the paths they have on such a machine
 * @throws PackagesUnavailable where apt or its archive can't be had
 */
export async function ensureForeignRoot(architecture: 'arm64'): Promise<string> {
  const root = cacheFolder(`root-${architecture}`);
  if (existsSync(root)) return root;
  await mkdir(cacheFolder(), { recursive: true });
  const work = await mkdtemp(cacheFolder(`root-${architecture}-`));
  try {
    await unpackPackages(architecture, work);
    await rename(join(work, 'root'), root);
  } catch (cause) {
    throw new StorkError({
      code: 'PackagesUnavailable',
      message: `Debian's ${architecture} packages ${packages.join(', ')} can't be had here.`,
      hint: 'This needs apt-get and dpkg-deb of Debian or Ubuntu and a reachable archive that carries that architecture.',
      cause,
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return root;
}

async function unpackPackages(architecture: string, work: string): Promise<void> {
  const folder = (...parts: readonly string[]) => join(work, ...parts);
  for (const path of ['state/lists/partial', 'cache/archives/partial', 'packages', 'root'])
    await mkdir(folder(path), { recursive: true });
  await writeFile(folder('state/status'), '');
  await writeFile(
    folder('apt.conf'),
    [
      `APT::Architecture "${architecture}";`,
      `APT::Architectures { "${architecture}"; };`,
      `Dir::State "${folder('state')}";`,
      `Dir::State::status "${folder('state/status')}";`,
      `Dir::Cache "${folder('cache')}";`,
      'APT::Sandbox::User "root";',
    ].join('\n'),
  );
  const apt = (args: readonly string[]) =>
    runCommand('apt-get', ['-qq', ...args], { cwd: folder('packages'), env: { APT_CONFIG: folder('apt.conf') } });
  await apt(['update']);
  await apt(['download', ...packages]);
  for (const file of await readdir(folder('packages')))
    await runCommand('dpkg-deb', ['-x', folder('packages', file), folder('root')]);
}
