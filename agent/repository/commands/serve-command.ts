/** `stork-agent repo serve` gives other machines a repository; `repo htpasswd` prints a line for its file of users. */
import type { Ambient } from '../../../kube/ambient.ts';
import { createJsonLog } from '../../observe/json-log.ts';
import { type PasswordFile, parsePasswordFile, renderPasswordLine } from '../serve/password-file.ts';
import { type ServeTls, serveRepository } from '../serve/serve-repository.ts';
import { watchContents } from '../serve/watch-contents.ts';
import { isLoopback } from '../store/store-address.ts';
import {
  type PlaceRun,
  type PlainRun,
  placeOnlyUsage,
  runPlaceCommand,
  runReported,
  wrongArgument,
} from './care-arguments.ts';
import { readPassword, readSmallFile } from './unlock-arguments.ts';

const serveUsage = `Usage: stork-agent repo serve --repo PLACE --listen ADDRESS:PORT --tls-cert FILE --tls-key FILE
                            (--htpasswd-file FILE | --client-ca FILE) [options]

Serves the repository (a place of any kind, without its password) to other machines over restic's REST protocol, to
stork-agent and stock restic alike: --repo rest:https://HOST:PORT/. Nothing is ever overwritten; an upload counts once
its bytes are those that its name says. Runs until it is told to stop, and lets what is under way end.

${placeOnlyUsage}      --listen ADDRESS:PORT   e.g. 0.0.0.0:8000, or [::]:8000
      --tls-cert FILE         the certificate with its chain, and
      --tls-key FILE          its key, both in PEM form; TLS 1.3 only. Without them only 127.0.0.1, [::1] and localhost
      --htpasswd-file FILE    users, a line each as \`repo htpasswd\` prints them, and/or
      --client-ca FILE        only clients with a certificate that one of these authorities signed. Without either only
                              127.0.0.1, [::1] and localhost
      --append-only           nothing can be removed but locks: who steals a client's credentials destroys no backup
      --max-size BYTES        of all objects together; with K, M, G or T: of 1024. Counted when it begins
      --max-object-size BYTES (default 160M; stock restic's packs have up to 128M)

Changed files of certificates and users are read again within ten seconds.
The log goes to standard error, one JSON document a line: what was refused and what was removed.
Exit code: 0 told to stop, 1 failed, 2 wrong arguments.
`;

const serveOptions = {
  listen: { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'client-ca': { type: 'string' },
  'htpasswd-file': { type: 'string' },
  'append-only': { type: 'boolean' },
  'max-size': { type: 'string' },
  'max-object-size': { type: 'string' },
} as const;

export const runServeCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runPlaceCommand('repo serve', { usage: serveUsage, options: serveOptions, run: serve }, argv, ambient);

async function serve({ store, ambient, options: given }: PlaceRun): Promise<number> {
  const { signal, clock, randomBytes, stderr } = ambient;
  const listen = parseListen(given.listen);
  const files = [given['tls-cert'], given['tls-key'], given['client-ca'], given['htpasswd-file']];
  const contents = watchContents(files.filter((file) => typeof file === 'string'));
  const readCredentials = () => ({ tls: readTls(given), users: readUsers(given, randomBytes) });
  const { tls, users } = readCredentials();
  if (!isLoopback(listen.host === '::1' ? '[::1]' : listen.host)) {
    if (tls === undefined) throw wrongArgument('Other machines are served with TLS only', '--tls-cert, --tls-key');
    if (users === undefined && tls?.clientCa === undefined)
      throw wrongArgument('Say who may use it from other machines', '--htpasswd-file, --client-ca');
  }
  const log = createJsonLog({ stream: stderr, clock });
  await using serving = await serveRepository({
    ...{ store, listen, tls, users, clock, log, randomBytes },
    removal: given['append-only'] === true ? 'AppendOnly' : 'Allowed',
    maxBytes: parseSize(given['max-size'], '--max-size'),
    maxObjectBytes: parseSize(given['max-object-size'], '--max-object-size') ?? usualObjectBytes,
  });
  const readAgain = () => {
    try {
      serving.replace(readCredentials());
      log.info('certificates and users were read again');
    } catch (error) {
      log.error('changed certificates or users are of no use, the ones before stay', { error });
    }
  };
  using _telling = contents.tell(readAgain, { clock, everyMs: lookAgainMs });
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  const address = `rest:${tls === undefined ? 'http' : 'https'}://${host}:${serving.port}/`;
  log.info('serving', { address, repository: store.description });
  await untilAborted(signal);
  log.info('ending');
  await serving.close();
  return 0;
}

const lookAgainMs = 10_000;
const usualObjectBytes = 160 * 1024 ** 2;

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}

function parseListen(given: unknown): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port = ''] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(typeof given === 'string' ? given : '') ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65535) throw wrongArgument('Say where to listen, ADDRESS:PORT', '--listen');
  return { host, port: Number(port) };
}

function readTls(given: PlaceRun['options']): ServeTls | undefined {
  const { 'tls-cert': cert, 'tls-key': key, 'client-ca': clientCa } = given;
  if (typeof cert === 'string' && typeof key === 'string')
    return {
      cert: readSmallFile(cert, 'certificate'),
      key: readSmallFile(key, "certificate's key"),
      clientCa: typeof clientCa === 'string' ? readSmallFile(clientCa, 'file of authorities') : undefined,
    };
  if (cert === undefined && key === undefined && clientCa === undefined) return undefined;
  throw wrongArgument('A certificate and its key are needed together', '--tls-cert, --tls-key');
}

function readUsers(given: PlaceRun['options'], randomBytes: Ambient['randomBytes']): PasswordFile | undefined {
  const file = given['htpasswd-file'];
  if (typeof file !== 'string') return undefined;
  return parsePasswordFile(readSmallFile(file, 'file of users'), file, randomBytes(32));
}

const units = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

function parseSize(given: unknown, option: string): number | undefined {
  if (given === undefined) return undefined;
  const [, digits = '', unit = ''] = /^(\d{1,12})([KMGT]?)$/.exec(typeof given === 'string' ? given : '') ?? [];
  const bytes = Number(digits) * (Object.entries(units).find(([name]) => name === unit)?.[1] ?? 1);
  if (digits === '' || bytes === 0 || !Number.isSafeInteger(bytes))
    throw wrongArgument(`${JSON.stringify(given)} is no size; write 500G`, option);
  return bytes;
}

const htpasswdUsage = `Usage: stork-agent repo htpasswd USER --new-password-file FILE

Prints the line that lets USER in, for the file that \`repo serve --htpasswd-file\` reads: scrypt, no password in it.

Exit code: 0 done, 2 wrong arguments.
`;

const htpasswdOptions = { 'new-password-file': { type: 'string' } } as const;

export const runHtpasswdCommand = (argv: readonly string[], ambient: Ambient): Promise<number> => {
  const run = async ({ options: given, words: [user, ...more] }: PlainRun) => {
    const file = given['new-password-file'];
    if (user === undefined || more.length > 0) throw wrongArgument('Name one user', more.join(' '));
    if (typeof file !== 'string') throw wrongArgument('Say where the password is', '--new-password-file');
    const password = readPassword(file);
    if (password === '') throw wrongArgument('The password is empty', '--new-password-file');
    ambient.stdout.write(`${await renderPasswordLine(user, password, ambient.randomBytes(16))}\n`);
    return 0;
  };
  return runReported(
    'repo htpasswd',
    { usage: htpasswdUsage, options: htpasswdOptions, words: 'Taken', run },
    argv,
    ambient,
  );
};
