/** `stork-agent key rotate --reencrypt`: another master key, in a new repository beside the old one; `key remove-replaced`: the old one goes. */
import { hostname, userInfo } from 'node:os';
import { findKeySlot, listKeySlots } from '../keys/key-slots.ts';
import { byPassphrase } from '../keys/unlock.ts';
import { rememberLock } from '../object-lock/remembered-lock.ts';
import { type ReencryptProgress, type ReencryptResult, reencrypt } from '../reencrypt/reencrypt.ts';
import { removeReplaced } from '../reencrypt/remove-replaced.ts';
import { initRepository, openRepository, type Repository } from '../repository.ts';
import { type CareRun, openPlace, textsOf, wrongArgument } from './care-arguments.ts';
import { type ProgressLine, progressLine, renderBytes } from './progress-line.ts';
import { lockOption, withRememberedLock } from './remembered-lock-argument.ts';
import { readWrapping } from './unlock-arguments.ts';

export const reencryptOptions = {
  reencrypt: { type: 'boolean' },
  'new-repo': { type: 'string' },
  'new-option': { type: 'string', multiple: true },
  'allow-forgotten': { type: 'boolean' },
} as const;

export const reencryptUsage = `      --reencrypt                rotate: another master key, for everything, in a new repository; the old one stays
      --new-repo PLACE           where: a place where nothing is; the same again to go on after an interruption
      --new-option NAME=VALUE    of the new place's kind of store
      --allow-forgotten          remove-replaced: also with restore points that the new one has no more
`;

export async function reencryptRepository(care: CareRun): Promise<void> {
  const { context, ambient, answer } = care;
  const old = context.repository;
  const { place, repository } = await openTarget(care);
  const line = progressLine(ambient.stderr, ambient.clock);
  const result = await reencrypt({
    source: context,
    target: { ...context, repository },
    place,
    onProgress: (progress) => showProgress(line, progress),
  }).finally(line.end);
  const left = (await listKeySlots(old.store, context.signal)).map(({ id, kdf, label }) => ({ id, kdf, label }));
  const ids = { from: old.config.id, to: repository.config.id };
  answer(
    { ...ids, place, ...result, keySlotsOfTheOld: left },
    render({ ids, place, result, slots: left.length, old: old.store.description }),
  );
}

/** `--repo` is the old one. */
export async function removeReplacedRepository(care: CareRun): Promise<void> {
  const { context, ambient, options: given, answer } = care;
  const there = await openNewPlace(care);
  const { place } = there;
  const repository = await openThere(care, there);
  const line = progressLine(ambient.stderr, ambient.clock);
  const removed = await removeReplaced({
    old: context,
    successor: { ...context, repository },
    missingThere: given['allow-forgotten'] === true ? 'Allowed' : 'Refused',
    onProgress: ({ packsRead, packsToRead }) => showProgress(line, { step: 'verifying', packsRead, packsToRead }),
  }).finally(line.end);
  const { objects, bytes, lost } = removed;
  answer({ place, ...removed }, [
    `${place} was read back and is whole; removed ${objects} objects (${renderBytes(bytes)}) of ${context.repository.store.description}`,
    ...(lost.length === 0 ? [] : [`${lost.length} restore points are nowhere any more`]),
  ]);
}

/** Made, unless an earlier run did. */
async function openTarget(care: CareRun) {
  const { context, ambient } = care;
  const there = await openNewPlace(care);
  const { place, passphrase, store } = there;
  if ((await findKeySlot(context.repository.store, byPassphrase(passphrase), context.signal)) !== undefined)
    throw wrongArgument('The new password opens the old repository: choose another', '--new-password-file');
  const { randomBytes, signal } = ambient;
  const isThere = (await store.sizeOf('config', signal)) !== undefined;
  const owner = { created: ambient.clock.now(), username: userInfo().username, hostname: hostname() };
  if (isThere) return { place, repository: await openThere(care, there) };
  const repository = await initRepository(store, passphrase, owner, randomBytes, signal);
  const lock = lockOption(care.options['new-option']);
  if (lock !== undefined) await rememberLock({ repository, clock: ambient.clock, randomBytes, signal }, lock);
  return { place, repository };
}

async function openNewPlace(care: CareRun) {
  const { ambient, options: given } = care;
  const place = given['new-repo'];
  if (typeof place !== 'string') throw wrongArgument('Say where the new repository is to be', '--new-repo');
  const wrapping = readWrapping(given, ambient.env);
  if (wrapping.by !== 'Passphrase')
    throw wrongArgument('The new repository is opened with its password', '--new-password-file');
  const { passphrase } = wrapping;
  if (passphrase === '') throw wrongArgument('The password is empty', '--new-password-file');
  const { 'new-option': options, cacert } = given;
  const reopen = (...more: readonly string[]) =>
    openPlace(place, { options: [...textsOf(options), ...more], cacert }, care);
  return { place, passphrase, store: await reopen(), options, reopen };
}

/** One that was made before, with the object lock it remembers. */
async function openThere({ ambient }: CareRun, there: Awaited<ReturnType<typeof openNewPlace>>): Promise<Repository> {
  const { randomBytes, signal } = ambient;
  const repository = await openRepository(there.store, byPassphrase(there.passphrase), randomBytes, signal);
  return await withRememberedLock(repository, { ...there, randomBytes, signal });
}

function showProgress(line: ProgressLine, progress: ReencryptProgress): void {
  if (progress.step === 'copying')
    line.show({
      what: `copying (of ${progress.totalBlobs} blobs)`,
      files: progress.blobs,
      bytes: progress.bytes,
      totalBytes: 0,
    });
  else line.show({ what: 'verifying', files: progress.packsRead, bytes: 0, totalBytes: 0 });
}

interface Told {
  readonly ids: { readonly from: string; readonly to: string };
  readonly place: string;
  readonly result: ReencryptResult;
  readonly slots: number;
  readonly old: string;
}

const render = ({ ids, place, result, slots, old }: Told): readonly string[] => [
  `copied ${result.copied.blobs} blobs (${renderBytes(result.copied.bytes)}) in ${result.copied.packs} packs; read back ${renderBytes(result.verified.bytesRead)}`,
  ...result.snapshots.map(({ from, to }) => `restore point ${from.slice(0, 8)} is now ${to.slice(0, 8)}`),
  `repository ${ids.to.slice(0, 8)} in ${place} has taken the place of ${ids.from.slice(0, 8)}`,
  `It has one key slot; the old one's ${slots} were not taken over: \`stork-agent key add\`, \`key recovery-kit\`.`,
  `Back up there from now on. ${old} can still be read with the old key, until \`key remove-replaced\` takes it away.`,
];
