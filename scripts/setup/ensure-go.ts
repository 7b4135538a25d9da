/**
 * Makes sure that a Go exists that is new enough for the clusters' programs. Debian's may be too old to build them, but not
 * to bring a newer one: Go's own toolchains are modules. It is linked at `go` in our cache; bootstrap.mjs puts that on PATH.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { runCommand } from '../run-command.ts';

/** The Go we bring when the machine's is too old; its content is checked by Go against its checksum database. */
const toolchain = '1.26.8';

const root = join(import.meta.dirname, '../..');

/**
 * Afterwards `go` on PATH (this process' and its children's) can build what test/testbed needs. Does nothing where it can
 * already, or where there is no Go at all.
 */
export async function ensureGo(say: (line: string) => void): Promise<void> {
  const version = await runCommand('go', ['version'], { env: { GOTOOLCHAIN: 'local' } }).catch(() => undefined);
  if (version === undefined || isGoEnough(version, neededGo())) return;
  const link = cacheFolder('go');
  if (!existsSync(join(link, 'bin/go'))) {
    say(`this machine's Go is too old (${version.trim()}): bringing ${toolchain} …`);
    const startedMs = performance.now();
    await linkTo(await downloadToolchain(), link);
    say(`Go ${toolchain}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  }
  process.env.PATH = [join(link, 'bin'), process.env.PATH].join(delimiter);
}

/** @param version what `go version` prints; @param needed for example `1.26.0` */
export function isGoEnough(version: string, needed: string): boolean {
  const found = /go(\d+)\.(\d+)(?:\.(\d+))?/
    .exec(version)
    ?.slice(1)
    .map((part) => Number(part ?? 0));
  const wanted = needed.split('.').map(Number);
  if (found === undefined) return false;
  const differing = wanted.findIndex((part, index) => part !== (found[index] ?? 0));
  return differing === -1 || (found[differing] ?? 0) > (wanted[differing] ?? 0);
}

/** The newest `go` line of the test bed's modules. */
function neededGo(): string {
  const lines = globSync('test/testbed/*/go.mod', { cwd: root }).flatMap(
    (file) => /^go (\S+)$/m.exec(readFileSync(join(root, file), 'utf8'))?.slice(1) ?? [],
  );
  return lines.reduce((newest, line) => (isGoEnough(`go${newest}`, line) ? newest : line), '1.0.0');
}

async function downloadToolchain(): Promise<string> {
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const answer = await runCommand(
    'go',
    ['mod', 'download', '-json', `golang.org/toolchain@v0.0.1-go${toolchain}.${platform}`],
    { cwd: '/' },
  );
  const folder: unknown = JSON.parse(answer).Dir;
  if (typeof folder !== 'string') throw new TypeError(`go mod download told no folder: ${answer}`);
  // A module's files are not executable; Go itself does the same when it fetches a toolchain.
  for (const file of globSync(['bin/*', 'pkg/tool/*/*'], { cwd: folder })) await chmod(join(folder, file), 0o755);
  return folder;
}

async function linkTo(folder: string, link: string): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  await rm(`${link}.new`, { force: true });
  await symlink(folder, `${link}.new`);
  await rename(`${link}.new`, link);
}
