/** ServiceAccount: references to tokens that the source's controllers made go; they mean nothing elsewhere. */
import { at, fieldsOf, itemsOf, removeField, setField, textOf } from '../fields.ts';
import type { Transform } from './transform-context.ts';

export const transformServiceAccount: Transform = (object) => {
  const kept = (path: string) =>
    itemsOf(at(object, [path])).filter((item) => !isGenerated(object.metadata.name, textOf(fieldsOf(item).name)));
  const put = (current: typeof object, path: string) =>
    kept(path).length === 0 ? removeField(current, [path]) : setField(current, [path], kept(path));
  return put(put(object, 'secrets'), 'imagePullSecrets');
};

const isGenerated = (account: string, secret: string | undefined): boolean =>
  secret?.startsWith(`${account}-token-`) === true || secret?.startsWith(`${account}-dockercfg-`) === true;
