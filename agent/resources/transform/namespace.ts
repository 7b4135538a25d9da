/** Namespace: labels and annotations; its finalizers are the API server's. */
import { label, removeField } from '../fields.ts';
import type { Transform } from './transform-context.ts';

export const transformNamespace: Transform = (object) =>
  label(removeField(object, ['spec']), { 'kubernetes.io/metadata.name': undefined });
