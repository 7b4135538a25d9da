/**
 * Kubernetes quantities (`10Gi`, `1500m`, `2e9`) as bytes. Exact for every size a volume can have.
 * Grammar: k8s.io/apimachinery/pkg/api/resource, "quantity.go" doc comment.
 */
import { StorkError } from './errors.ts';

const suffixes: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 1000n,
  M: 1000n ** 2n,
  G: 1000n ** 3n,
  T: 1000n ** 4n,
  P: 1000n ** 5n,
  E: 1000n ** 6n,
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
};

const form = /^\+?(\d+)(?:\.(\d*))?(?:[eE](\d{1,2})|([kMGTPE]i?|Ki|m)?)$/;

/**
 * Whole bytes, rounded up as Kubernetes does.
 * @throws StorkError `InvalidQuantity`
 */
export const parseBytes = (quantity: string): bigint => parseTimes(1n, quantity);

/**
 * Thousandths of whatever is counted, rounded up: `250m` of a processor is 250.
 * @throws StorkError `InvalidQuantity`
 */
export const parseMilli = (quantity: string): bigint => parseTimes(1000n, quantity);

function parseTimes(times: bigint, quantity: string): bigint {
  const match = form.exec(quantity);
  if (match === null || quantity.length > 64)
    throw new StorkError({ code: 'InvalidQuantity', message: `${JSON.stringify(quantity)} is not a size like 10Gi` });
  const [, whole = '0', fraction = '', exponent, suffix = ''] = match;
  const digits = BigInt(whole + fraction) * times;
  const scale = 10n ** BigInt(fraction.length) * (suffix === 'm' ? 1000n : 1n);
  const factor = exponent === undefined ? (suffix === 'm' ? 1n : (suffixes[suffix] ?? 1n)) : 10n ** BigInt(exponent);
  return (digits * factor + scale - 1n) / scale;
}
