/** ClusterRole: rules that the source's aggregation controller filled in are left to the destination's. */
import { has, removeField } from '../fields.ts';
import type { Transform } from './transform-context.ts';

export const transformClusterRole: Transform = (object) =>
  has(object, ['aggregationRule']) ? removeField(object, ['rules']) : object;
