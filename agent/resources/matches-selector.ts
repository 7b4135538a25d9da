/** Whether labels fit a LabelSelector of an object. Pure. An operator that is not known fits nothing. */
import { type Fields, fieldsOf, isFields, itemsOf, textOf } from './fields.ts';

export function matchesSelector(labels: Readonly<Record<string, string>>, selector: unknown): boolean {
  if (!isFields(selector)) return true;
  const equal = Object.entries(fieldsOf(selector.matchLabels)).every(([name, value]) => labels[name] === value);
  return equal && itemsOf(selector.matchExpressions).every((one) => meets(labels, fieldsOf(one)));
}

function meets(labels: Readonly<Record<string, string>>, { key, operator, values }: Fields): boolean {
  const value = labels[textOf(key) ?? ''];
  switch (operator) {
    case 'In':
      return value !== undefined && itemsOf(values).includes(value);
    case 'NotIn':
      return value === undefined || !itemsOf(values).includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}
