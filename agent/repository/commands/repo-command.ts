/** `stork-agent repo init` makes a repository, `info` tells about one, `renew-locks` keeps its objects locked; `serve` and `htpasswd` have files of their own. */
import { hostname, userInfo } from 'node:os';
import type { Ambient } from '../../../kube/ambient.ts';
import { rememberLock } from '../object-lock/remembered-lock.ts';
import { initRepository } from '../repository.ts';
import {
  type CareRun,
  commonUsage,
  runCareCommand,
  runStoreCommand,
  type StoreRun,
  wrongArgument,
} from './care-arguments.ts';
import { renderBytes } from './progress-line.ts';
import { readableSnapshots } from './readable-snapshots.ts';
import { lockOption, runSet } from './remembered-lock-argument.ts';
import { renewOptions, runRenewLocks } from './renew-locks-command.ts';
import { createTeller } from './tell-stderr.ts';

const usage = `Usage: stork-agent repo init|info|set|renew-locks --repo PLACE --password-file FILE [options]

  init         makes an empty repository; the password is the only way into it: keep it where a fire does not reach both
  info         tells what is in it
  set          remembers -o s3.object-lock=MODE:DAYS (or none), which every command that writes then uses unless it is told another;
               init with that option remembers it, too
  renew-locks  in a bucket with object lock: extends the locks of all that restore points need before they end; run it each day
  serve        gives other machines one over restic's REST protocol: repo serve --help
  htpasswd     prints a user's line for serve: repo htpasswd --help

${commonUsage}
      --days N                renew-locks: a lock that is extended ends N days from now
      --within N              those that end within so many days (default: half of --days)
      --mode MODE             for objects without a lock: GOVERNANCE (default) or COMPLIANCE; others keep theirs
  -n, --dry-run               only tells

Exit code: 0 done, 1 failed (init: also when there is one already), 2 wrong arguments, 3 not everything could be
locked, or somebody deleted or overwrote objects (each is named), 10 no repository, 12 wrong password.
`;

export async function runRepoCommand(argv: readonly string[], ambient: Ambient): Promise<number> {
  const [word, ...rest] = argv;
  if (word === 'init') return await runStoreCommand('repo init', { usage, options: {}, run: init }, rest, ambient);
  if (word === 'serve') return await (await import('./serve-command.ts')).runServeCommand(rest, ambient);
  if (word === 'htpasswd') return await (await import('./serve-command.ts')).runHtpasswdCommand(rest, ambient);
  if (word === 'info') return await runCareCommand('repo info', { usage, options: {}, run: info }, rest, ambient);
  if (word === 'set') return await runStoreCommand('repo set', { usage, options: {}, run: runSet }, rest, ambient);
  const renew = { usage, options: renewOptions, run: runRenewLocks };
  if (word === 'renew-locks') return await runCareCommand('repo renew-locks', renew, rest, ambient);
  if (word === '--help' || word === '-h') {
    ambient.stdout.write(usage);
    return 0;
  }
  return createTeller('repo', argv, ambient).fail(
    wrongArgument('Say init, info, set, renew-locks, serve or htpasswd', word ?? 'repo'),
  );
}

async function init({ store, unlock, ambient, answer, options }: StoreRun): Promise<number> {
  if (unlock.by !== 'Passphrase')
    throw wrongArgument(
      'A repository begins with a password, which stock restic takes; add other key slots later',
      '--password-file',
    );
  const password = unlock.passphrase;
  if (password === '') throw wrongArgument('The password is empty', '--password-file');
  const owner = { created: ambient.clock.now(), username: userInfo().username, hostname: hostname() };
  const { clock, randomBytes, signal } = ambient;
  const repository = await initRepository(store, password, owner, randomBytes, signal);
  const { config } = repository;
  const lock = lockOption(options.option);
  if (lock !== undefined) await rememberLock({ repository, clock, randomBytes, signal }, lock);
  answer({ repository: store.description, id: config.id, version: config.version }, [
    `made repository ${config.id.slice(0, 8)} in ${store.description}`,
    'Without its password nothing in it can ever be read.',
  ]);
  return 0;
}

async function info(care: CareRun): Promise<number> {
  const { context, answer } = care;
  const { repository, signal } = context;
  const { store, config } = repository;
  const folders: Record<string, { objects: number; bytes: number }> = {};
  for (const folder of ['data', 'index', 'snapshots', 'keys', 'locks', 'stork']) {
    const found = { objects: 0, bytes: 0 };
    for await (const { sizeBytes } of store.list(`${folder}/`, signal)) {
      found.objects++;
      found.bytes += sizeBytes;
    }
    folders[folder] = found;
  }
  const { snapshots } = await readableSnapshots(care);
  const { size: blobs } = await repository.loadIndex(signal);
  const bytes = Object.values(folders).reduce((sum, one) => sum + one.bytes, 0);
  const latest = snapshots.at(-1);
  const { id, version } = config;
  answer(
    {
      repository: store.description,
      id,
      version,
      restorePoints: snapshots.length,
      latest: latest?.time,
      blobs,
      bytes,
      folders,
    },
    [
      `repository   ${id} in ${store.description}`,
      `format       restic ${version}`,
      `restore points  ${snapshots.length}${latest === undefined ? '' : `, the newest of ${latest.time.toISOString()}`}`,
      `stored       ${renderBytes(bytes)}: ${folders.data?.objects ?? 0} packs, ${blobs} blobs, ${folders.index?.objects ?? 0} indexes, ${folders.keys?.objects ?? 0} keys`,
    ],
  );
  return 0;
}
