/**
 * What is said on a channel before HTTP/2: a joiner presents its proof, a dialler of an established pair names the pair and
 * what the connection is for; the other side admits or refuses with a code. Every field is capped; the peer's words about
 * itself are cleaned, because they end up in status and terminals.
 */
import { type Infer, integer, list, object, oneOf, required, string } from '../../../crds/schema/index.ts';
import { endpointSchema, pairIdSchema } from '../invitation.ts';

/** Grows with incompatible changes only; each side speaks this version and, once there is one, the version before. */
export const spoken = { protocol: 1, oldestProtocol: 1 } as const;

export const alpn = { join: 'stork-join/1', forward: 'stork-pair/1', reverse: 'stork-pair-reverse/1' } as const;

/** Control messages never queue behind bulk data: they have a connection of their own. */
export const lanes = ['control', 'bulk'] as const;
export type Lane = (typeof lanes)[number];

/** Printable ASCII: no control characters reach a terminal through us. */
const label = () => required(string({ maxLength: 253, pattern: '^[ -~]*$' }));
const proof = () => required(string({ minLength: 43, maxLength: 43, pattern: '^[A-Za-z0-9_-]+$' }));
const version = { minimum: 1, maximum: 1_000_000 } as const;
const protocol = () => required(integer(version));

export const joinSchema = object({
  protocol: protocol(),
  oldestProtocol: integer(version),
  pairId: pairIdSchema,
  proof: proof(),
  cluster: label(),
  version: label(),
  /** Where the joiner could be dialled, if anywhere. */
  endpoints: list(endpointSchema, { maxItems: 16 }),
});
export type Join = Infer<typeof joinSchema>;

export const dialSchema = object({
  protocol: protocol(),
  oldestProtocol: integer(version),
  pairId: pairIdSchema,
  lane: required(oneOf(lanes)),
  /** The connections of one attempt carry one random name, so that the accepting side never mixes old and new. */
  bundle: required(string({ minLength: 8, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$' })),
  cluster: label(),
  version: label(),
});
export type Dial = Infer<typeof dialSchema>;

export const answerSchema = object({
  verdict: required(oneOf(['Admitted', 'Refused'])),
  /** When refused. */
  code: string({ maxLength: 64, pattern: '^[A-Za-z]*$' }),
  message: string({ maxLength: 1024, pattern: '^[ -~]*$' }),
  /** When a joiner was admitted: the acceptor's proof. */
  proof: string({ maxLength: 64 }),
  cluster: string({ maxLength: 253, pattern: '^[ -~]*$' }),
  version: string({ maxLength: 253, pattern: '^[ -~]*$' }),
});
export type Answer = Infer<typeof answerSchema>;

export const preambleLimits = {
  /** From the first byte of a connection to the end of its preamble. */
  deadlineMs: 10_000,
  connectMs: 10_000,
} as const;
