/** batch CronJob: suspended; whether it was suspended before is kept, so activation does not wake one that slept. */
import { suspendField } from './suspend-field.ts';
import type { Transform } from './transform-context.ts';

export const transformCronJob: Transform = (object) => suspendField(object, ['spec', 'suspend'], true);
