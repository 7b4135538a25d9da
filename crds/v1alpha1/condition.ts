/** metav1.Condition and observedGeneration: what every kind of ours with a controller has. */
import { type Infer, integer, list, object, oneOf, required, string, time } from '../schema/index.ts';

export const condition = object({
  type: required(string({ maxLength: 316 })),
  status: required(oneOf(['True', 'False', 'Unknown'])),
  observedGeneration: integer({ minimum: 0 }),
  lastTransitionTime: required(time()),
  /** Equals the event's reason and the anchor in docs/errors.md. */
  reason: required(string({ minLength: 1, maxLength: 1024 })),
  message: required(string({ maxLength: 32768 })),
});

export type Condition = Infer<typeof condition>;

export const conditions = list(condition, { listType: 'map', keys: ['type'] });

export const observedGeneration = integer({
  minimum: 0,
  description: 'The generation of the spec that this status speaks about.',
});
