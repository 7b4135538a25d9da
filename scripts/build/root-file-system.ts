/**
 * The files of the agent's image below its own executable: the C and C++ libraries it loads, taken from a root folder
 * (`/` of the build host, or unpacked packages of another architecture), the certificate authorities Node ships, users and
 * name service configuration. No shell, no package manager.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { StorkError } from '../../kube/errors.ts';
import { neededLibraries } from './absorb-libatomic.ts';
import type { TarEntry } from './tar-archive.ts';

export type Arch = 'x64' | 'arm64';

const libraryFolders: Readonly<Record<Arch, readonly string[]>> = {
  x64: ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'lib64', 'usr/lib64'],
  arm64: ['lib/aarch64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'lib64', 'usr/lib64'],
};

/** The program interpreter's fixed path, written into every executable. */
const interpreter: Readonly<Record<Arch, string>> = {
  x64: 'lib64/ld-linux-x86-64.so.2',
  arm64: 'lib/ld-linux-aarch64.so.1',
};

/** Loaded by the C library at run time, for names and addresses. */
const loadedOnDemand = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'];

/** Nobody's usual number in images without a root shell. */
const agentUser = 65532;

/**
 * @param executable bytes of the program that shall run there
 * @param root where the libraries are taken from
 */
export function rootFileSystem(executable: Buffer, arch: Arch, root: string): readonly TarEntry[] {
  const files = new Map<string, { readonly mode: number; readonly content: Buffer }>();
  const text = (path: string, content: string) => files.set(path, { mode: 0o644, content: Buffer.from(content) });
  for (const [path, content] of libraries(executable, arch, root)) files.set(path, { mode: 0o755, content });
  text(
    'etc/passwd',
    `root:x:0:0:root:/root:/sbin/nologin\nstork:x:${agentUser}:${agentUser}:stork:/tmp:/sbin/nologin\n`,
  );
  text('etc/group', `root:x:0:\nstork:x:${agentUser}:\n`);
  text('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
  text('etc/ssl/certs/ca-certificates.crt', `${rootCertificates.join('\n')}\n`);
  const sorted = [...files].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...foldersOf([...sorted.map(([path]) => path), 'root/.', 'tmp/.', 'usr/local/bin/.', 'var/run/.']),
    ...sorted.map(([path, { mode, content }]): TarEntry => ({ type: 'file', path, mode, content })),
  ];
}

/** Every library the executable loads, directly or through another, and the interpreter; path → bytes. */
function libraries(executable: Buffer, arch: Arch, root: string): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>([
    [interpreter[arch], readFileSync(realpathSync(join(root, interpreter[arch])))],
  ]);
  const interpreterName = interpreter[arch].split('/').at(-1);
  const wanted = new Set([...neededLibraries(executable), ...loadedOnDemand]);
  for (const name of wanted) {
    if (name === interpreterName) continue;
    const folder = libraryFolders[arch].find((candidate) => existsSync(join(root, candidate, name)));
    if (folder === undefined && loadedOnDemand.includes(name)) continue;
    if (folder === undefined) throw missingLibrary(name, root);
    const content = readFileSync(realpathSync(join(root, folder, name)));
    found.set(`${folder}/${name}`, content);
    for (const next of neededLibraries(content)) wanted.add(next);
  }
  return found;
}

function foldersOf(paths: readonly string[]): readonly TarEntry[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1);
    parts.forEach((_, index) => void folders.add(parts.slice(0, index + 1).join('/')));
  }
  return [...folders].toSorted().map((path) => ({ type: 'folder', path, mode: path === 'tmp' ? 0o1777 : 0o755 }));
}

const missingLibrary = (name: string, root: string): StorkError =>
  new StorkError({
    code: 'LibraryMissing',
    message: `The agent's image needs ${name}, which is not below ${root}.`,
    hint: 'On Debian and Ubuntu: apt-get install libc6 libstdc++6 libgcc-s1.',
  });
