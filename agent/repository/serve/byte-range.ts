/** One range of a Range header (RFC 9110, section 14). Pure. */
import type { ByteRange } from '../store/object-store.ts';

/**
 * `All` where there is none, or one that we need not heed (several ranges, other units, an empty object); `None` when it begins beyond the end.
 * @param size of the whole
 */
export function decideRange(header: string | undefined, size: number): ByteRange | 'All' | 'None' {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if ((first === '' && last === '') || size === 0) return 'All';
  if (first === '') {
    const length = Math.min(size, Number(last));
    return length === 0 ? 'None' : { offset: size - length, length };
  }
  const offset = Number(first);
  const end = last === '' ? size : Math.min(size, Number(last) + 1);
  if (offset >= size) return 'None';
  return offset >= end ? 'All' : { offset, length: end - offset };
}
