/** Secret: a service account token is signed by the source cluster; it travels empty, and the destination fills it. */
import { at, removeField } from '../fields.ts';
import type { Transform } from './transform-context.ts';

export const transformSecret: Transform = (object) =>
  at(object, ['type']) === 'kubernetes.io/service-account-token' ? removeField(object, ['data']) : object;
