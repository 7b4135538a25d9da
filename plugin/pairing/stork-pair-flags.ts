/** The flags of Stork's `create clusterpair`: those that mean something for our pairs, and those that can't. */
import { StorkError } from '../../kube/errors.ts';
import { choice, type Flag, pairs, text, toggle } from '../flag.ts';

export const storkPairFlags = {
  'src-kube-file': text({ describes: 'The kubeconfig of the source cluster; it stays with you.', value: 'FILE' }),
  'dest-kube-file': text({ describes: 'The kubeconfig of the destination cluster; it stays with you.', value: 'FILE' }),
  unidirectional: toggle({ describes: 'Only from the source to the destination.', short: 'u' }),
  mode: choice(['async-dr', 'sync-dr', 'migration'], {
    describes: 'Accepted as Stork does; a pair of ours serves all of them.',
    default: 'async-dr',
  }),
  'dest-ep': text({
    describes: "HOST:PORT at which the source reaches the destination's agent (default: found).",
    value: 'HOST:PORT',
  }),
  'src-ep': text({
    describes: "HOST:PORT at which the destination reaches the source's agent (default: found); either side may dial.",
    value: 'HOST:PORT',
  }),
  'project-mappings': pairs({
    describes: 'Rancher projects of the source and the destination, kept in spec.platformOptions.',
    value: 'SRC=DEST',
  }),
} as const;

const refused = (short?: string): Flag<string | undefined> =>
  text({ describes: 'Not possible for pairs of ours.', hidden: 'Yes', ...(short === undefined ? {} : { short }) });

/** Understood, to be refused by name with what to do instead. */
export const refusedPairFlags = {
  provider: refused('p'),
  bucket: refused(),
  'encryption-key': refused(),
  's3-access-key': refused(),
  's3-secret-key': refused(),
  's3-region': refused(),
  's3-endpoint': refused(),
  's3-storage-class': refused(),
  'disable-ssl': toggle({ describes: 'Not possible for pairs of ours.', hidden: 'Yes' }),
  'azure-account-name': refused(),
  'azure-account-key': refused(),
  'google-project-id': refused(),
  'google-key-file-path': refused(),
  'use-existing-objectstorelocation': refused(),
  'src-token': refused(),
  'dest-token': refused(),
  'src-ip': refused(),
  'src-port': refused(),
  'dest-ip': refused(),
  'dest-port': refused(),
} as const;

const tokens: ReadonlySet<string> = new Set(['src-token', 'dest-token']);
const addresses: ReadonlySet<string> = new Set(['src-ip', 'src-port', 'dest-ip', 'dest-port']);

/** @throws StorkError `BadUsage` naming the flags and what to do */
export function refusePairFlags(given: ReadonlySet<string>): void {
  const names = Object.keys(refusedPairFlags).filter((name) => given.has(name));
  if (names.length === 0) return;
  const hints = [
    ...(names.some((name) => tokens.has(name))
      ? ['Storage tokens are for a pairing of the storage itself, which no driver here has.']
      : []),
    ...(names.some((name) => addresses.has(name))
      ? ['Name the agent of the destination with --dest-ep HOST:PORT.']
      : []),
    ...(names.some((name) => !tokens.has(name) && !addresses.has(name))
      ? ["Volumes travel over the pair's own link: no object store is in between, and none is set up."]
      : []),
  ];
  const flags = names.map((name) => `--${name}`).join(', ');
  throw new StorkError({
    code: 'BadUsage',
    message: `${flags}: not possible for pairs of stork-agent; leave ${names.length === 1 ? 'it' : 'them'} out`,
    hint: hints.map((hint) => `  ${hint}`).join('\n'),
  });
}
