/**
 * What we hold true about a pair, in the Secret `stork-pair-<uid of the ClusterPair>` of the agent's namespace. Status only
 * shows it: whoever may edit ClusterPairs, spec or status, can't make us talk to another key.
 */
import { type Infer, integer, list, object, oneOf, parse, required, string } from '../../crds/schema/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import { endpointSchema, pairIdSchema } from '../peer/invitation.ts';
import {
  createSecret,
  deleteSecret,
  findSecret,
  replaceSecret,
  type SecretPlace,
  type StoredSecret,
} from '../peer/secret-store.ts';

export const maxFormerPins = 16;

const pin = () => string({ pattern: '^[A-Za-z0-9_-]{43}$' });
const text = () => string({ maxLength: 4096 });

const trustSchema = object({
  side: required(oneOf(['Accept', 'Join'])),
  pairId: pairIdSchema,
  /** The peer's key; absent until somebody joined. */
  peerPin: pin(),
  /** Keys the peer had before and replaced by signature, newest first: a confirmation of one holds for its successors. */
  formerPins: list(pin(), { maxItems: maxFormerPins }),
  /** What the peer said of itself when it joined. */
  cluster: text(),
  version: text(),
  /** Where to dial; empty while the peer names no address. */
  endpoints: required(list(endpointSchema, { maxItems: 16 })),
  /** The invitation, on the accepting side: enough to check a joiner, not to make the code again. */
  invitation: object({ proofKey: required(text()), expires: required(integer()) }),
  /** Another key that came with the right code, after the first. */
  rivalPin: text(),
  /** When the other side told us that its ClusterPair is gone. */
  revoked: text(),
});
export type PairTrust = Infer<typeof trustSchema>;

export interface HeldTrust {
  readonly trust: PairTrust;
  readonly stored: StoredSecret;
}

export interface TrustStore {
  find(uid: string, signal?: AbortSignal): Promise<HeldTrust | undefined>;
  /** Makes it, or replaces what `held` was read from. @throws ApiError AlreadyExists, Conflict */
  write(uid: string, trust: PairTrust, held: HeldTrust | undefined, signal?: AbortSignal): Promise<HeldTrust>;
  /** Reads, changes and writes; a lost race is reported, not repeated. `undefined` when there is nothing to change. */
  change(uid: string, change: (trust: PairTrust) => PairTrust, signal?: AbortSignal): Promise<HeldTrust | undefined>;
  remove(uid: string, signal?: AbortSignal): Promise<void>;
  /** uids of all ClusterPairs we hold trust for, also of those that are gone. */
  uids(signal?: AbortSignal): Promise<readonly string[]>;
}

const prefix = 'stork-pair-';
const field = 'trust.json';
const trustLabel = { 'stork.libopenstorage.org/secret': 'pair-trust' };

export function createTrustStore(client: KubeClient, namespace: string): TrustStore {
  const placeOf = (uid: string, signal: AbortSignal | undefined): SecretPlace => ({
    client,
    namespace,
    name: `${prefix}${uid}`,
    signal,
  });
  const store: TrustStore = {
    async find(uid, signal) {
      const stored = await findSecret(placeOf(uid, signal));
      return stored === undefined ? undefined : { stored, trust: readTrust(stored, `${namespace}/${prefix}${uid}`) };
    },
    async write(uid, trust, held, signal) {
      const place = placeOf(uid, signal);
      const fields = { [field]: JSON.stringify(trust) };
      const stored = await (held === undefined
        ? createSecret(place, fields, { labels: trustLabel })
        : replaceSecret(place, held.stored, fields));
      return { stored, trust };
    },
    async change(uid, change, signal) {
      const held = await store.find(uid, signal);
      return held === undefined ? undefined : store.write(uid, change(held.trust), held, signal);
    },
    remove: (uid, signal) => deleteSecret(placeOf(uid, signal)),
    async uids(signal) {
      const labelSelector = Object.entries(trustLabel).map(([key, value]) => `${key}=${value}`);
      const found: string[] = [];
      for await (const secret of client.list(core.secrets, {
        namespace,
        labelSelector: labelSelector.join(),
        signal,
      })) {
        if (secret.metadata.name.startsWith(prefix)) found.push(secret.metadata.name.slice(prefix.length));
      }
      return found;
    },
  };
  return store;
}

function readTrust(stored: StoredSecret, name: string): PairTrust {
  try {
    return parse(trustSchema, JSON.parse(stored.fields[field] ?? ''));
  } catch {
    // The cause could quote what the Secret holds.
    throw new StorkError({
      code: 'InvalidPairTrust',
      message: `Secret ${name} does not hold what the agent wrote`,
      about: `Secret ${name}`,
      hint: 'Delete the ClusterPair on both clusters and pair anew.',
    });
  }
}
