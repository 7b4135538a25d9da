/** `stork-agent key`: who can open a repository. The master key stays; its wrappings come and go. */
import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Ambient } from '../../../kube/ambient.ts';
import { StorkError } from '../../../kube/errors.ts';
import {
  addKeySlot,
  findKeySlot,
  type KeySlot,
  listKeySlots,
  removeKeySlot,
  rotateKeySlot,
} from '../keys/key-slots.ts';
import { newRecoveryPassphrase, renderRecoveryKit } from '../keys/recovery-kit.ts';
import { byPassphrase } from '../keys/unlock.ts';
import { parseStoreAddress } from '../store/store-address.ts';
import { type CareRun, commonUsage, runCareCommand, wrongArgument } from './care-arguments.ts';
import {
  reencryptOptions,
  reencryptRepository,
  reencryptUsage,
  removeReplacedRepository,
} from './reencrypt-command.ts';
import { readWrapping, wrappingOptions, wrappingUsage } from './unlock-arguments.ts';

const usage = `Usage: stork-agent key list|add|remove ID|rotate|remove-replaced|recovery-kit --repo PLACE --password-file FILE [options]

  list           the key slots: ours, and restic's own, which stock restic opens too
  add            another key slot: for a passphrase (with --restic one that stock restic takes), recipients of age,
                 or a program that asks a KMS
  remove ID      never the last one
  rotate         another passphrase instead of the key slot that was opened; the data is not encrypted
                 anew; with --reencrypt it is: after the master key, or an old slot and what opens it, has leaked
  remove-replaced   a repository that was encrypted anew, once the new one is read back and whole
  recovery-kit   a new passphrase for stock restic, shown once, to print and lock away

A passphrase may be the content of a Kubernetes Secret: --password-secret, or mount it as a file.

${commonUsage}${wrappingUsage}      --restic                   add: a slot for stock restic
      --label TEXT               add, rotate: what a slot of ours is for
${reencryptUsage}      --allow-no-restic-key      remove: also the last slot that stock restic takes
`;

export const runKeyCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('key', { usage, options, words: 'Taken', run }, argv, ambient);

const options = {
  ...wrappingOptions,
  ...reencryptOptions,
  restic: { type: 'boolean' },
  label: { type: 'string' },
  'allow-no-restic-key': { type: 'boolean' },
} as const;

const deeds: Readonly<Record<string, (run: CareRun) => Promise<void>>> = {
  list,
  add,
  remove,
  rotate,
  'remove-replaced': removeReplacedRepository,
  'recovery-kit': makeKit,
};

async function run(care: CareRun): Promise<number> {
  const deed = deeds[care.words[0] ?? ''];
  if (deed === undefined) throw wrongArgument('Say list, add, remove, rotate, remove-replaced or recovery-kit', 'key');
  const [, ...rest] = care.words;
  if (deed === remove && rest.length !== 1) throw wrongArgument('Say which key slot, by its id', 'ID');
  if (deed !== remove && rest.length > 0) throw wrongArgument('It takes no such argument', rest.join(' '));
  await deed(care);
  return 0;
}

const ownerNow = ({ context }: CareRun) => ({
  created: context.clock.now(),
  username: userInfo().username,
  hostname: hostname(),
});

const tell = ({ bytes, ...slot }: KeySlot) => ({ ...slot, damaged: bytes === undefined });

async function list({ context, answer }: CareRun): Promise<void> {
  const slots = await listKeySlots(context.repository.store, context.signal);
  answer(
    slots.map(tell),
    slots.map(({ id, kind, kdf, recipients, plugin, created, username, hostname: host, label, bytes }) =>
      `${id.slice(0, 8)}  ${kind.padEnd(6)}  ${openedWith({ kdf, recipients, plugin }).padEnd(14)}  ${created.slice(0, 19).padEnd(19)}  ${username}@${host}  ${bytes === undefined ? 'DAMAGED' : label}`
        // Whoever can write to the store wrote these; a terminal must not do what they say.
        .replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
        .trimEnd(),
    ),
  );
}

const openedWith = ({ kdf, recipients, plugin }: Pick<KeySlot, 'kdf' | 'recipients' | 'plugin'>): string => {
  if (kdf === 'scrypt') return 'passphrase';
  if (kdf === 'plugin') return `plug-in ${plugin}`;
  return kdf === 'age' ? `age, ${recipients.length} recipient${recipients.length === 1 ? '' : 's'}` : kdf;
};

const labelOf = ({ options: given }: CareRun): string =>
  typeof given.label === 'string' ? given.label.slice(0, 200) : '';

async function add(care: CareRun): Promise<void> {
  const { context, options: given, answer } = care;
  const kind = given.restic === true ? 'restic' : 'ours';
  const wrapping = readWrapping(given, care.ambient.env);
  if (kind === 'restic' && wrapping.by !== 'Passphrase')
    throw wrongArgument('Stock restic takes passphrases only', '--restic');
  const wanted = { kind, wrapping, label: labelOf(care), owner: ownerNow(care) } as const;
  const slot = await addKeySlot(context.repository, wanted, context.randomBytes);
  answer(tell(slot), [
    `added ${slot.name}`,
    ...(wrapping.by === 'Recipients' ? ['prove that it opens: `stork-agent repo info --identity-file FILE`'] : []),
  ]);
}

async function remove(care: CareRun): Promise<void> {
  const { context, options: given, answer, words } = care;
  const word = words[1] ?? '';
  const matching = (await listKeySlots(context.repository.store)).filter(
    ({ id }) => word.length >= 4 && id.startsWith(word),
  );
  const [slot] = matching;
  if (slot === undefined || matching.length > 1)
    throw new StorkError({
      code: 'KeySlotUnknown',
      message: slot === undefined ? 'There is no such key slot' : 'Several key slots begin like this',
      about: word,
      hint: '`stork-agent key list` shows them; nothing was changed.',
    });
  const lastOfRestic = given['allow-no-restic-key'] === true ? 'Allowed' : 'Refused';
  await removeKeySlot(context, slot, { lastOfRestic });
  answer(tell(slot), [`removed ${slot.name}`]);
}

async function rotate(care: CareRun): Promise<void> {
  const { context, options: given, answer, unlock } = care;
  if (given.reencrypt === true) {
    await reencryptRepository(care);
    return;
  }
  const wrapping = readWrapping(given, care.ambient.env);
  if (wrapping.by === 'Recipients')
    throw wrongArgument(
      'A key slot for recipients can only be proven by their holders: use `key add`, then `repo info --identity-file`, then `key remove`',
      '--recipient',
    );
  const found = await findKeySlot(context.repository.store, unlock, context.signal);
  if (found === undefined) throw wrongArgument('The key slot that was opened is gone', 'key rotate');
  const change = { wrapping, label: labelOf(care) || found.slot.label, owner: ownerNow(care) };
  const slot = await rotateKeySlot(context, found.slot, change);
  answer(tell(slot), [`added ${slot.name}`, `removed ${found.slot.name}`]);
}

async function makeKit(care: CareRun): Promise<void> {
  const { context, options: given, answer } = care;
  const { repository, randomBytes } = context;
  const passphrase = newRecoveryPassphrase(randomBytes);
  const owner = { ...ownerNow(care), username: 'recovery-kit' };
  const slot = await addKeySlot(
    repository,
    { kind: 'restic', wrapping: byPassphrase(passphrase), label: '', owner },
    randomBytes,
  );
  const lines = renderRecoveryKit(
    placeToPrint(String(given.repo)),
    repository.config.id,
    passphrase,
    slot.id.slice(0, 8),
  );
  answer({ ...tell(slot), passphrase }, lines);
}

/** What is printed is read elsewhere. */
function placeToPrint(given: string): string {
  const address = parseStoreAddress(given);
  return address.kind === 'Directory' ? resolve(address.path) : given;
}
