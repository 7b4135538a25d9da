/** Endpoints made by hand: addresses travel, the names of the source's nodes don't. */
import { type Fields, fieldsOf, itemsOf, mapItems, withoutField } from '../fields.ts';
import type { Transform } from './transform-context.ts';

export const transformEndpoints: Transform = (object) =>
  mapItems(object, ['subsets'], (subset) => ({
    ...subset,
    ...nodeless(subset, 'addresses'),
    ...nodeless(subset, 'notReadyAddresses'),
  }));

const nodeless = (subset: Fields, name: string): Fields =>
  name in subset
    ? { [name]: itemsOf(subset[name]).map((address) => withoutField(fieldsOf(address), ['nodeName'])) }
    : {};
