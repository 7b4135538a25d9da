/**
 * Irreducible polynomials of degree 53 over GF(2), as restic's Rabin chunker wants one in each repository's config.
 * Irreducibility by Rabin's test: x^(2^n) = x mod p, and gcd(p, x^(2^(n/q)) - x) = 1 for each prime q of n; 53 is prime, so q = 53.
 */
const degree = 53;

/** The polynomial of a hexadecimal text; undefined unless its degree is 53. */
export function parsePolynomial(hex: string): bigint | undefined {
  if (!/^[0-9a-f]{1,16}$/.test(hex)) return undefined;
  const polynomial = BigInt(`0x${hex}`);
  return degreeOf(polynomial) === degree ? polynomial : undefined;
}

export function randomPolynomial(randomBytes: (sizeBytes: number) => Uint8Array): bigint {
  // About one in 26 odd polynomials is irreducible.
  for (;;) {
    const bits = Buffer.from(randomBytes(8)).readBigUInt64LE() & ((1n << 53n) - 1n);
    const candidate = bits | (1n << 53n) | 1n;
    if (isIrreducible(candidate)) return candidate;
  }
}

export function isIrreducible(polynomial: bigint): boolean {
  if (degreeOf(polynomial) !== degree) return false;
  const x = 2n;
  return gcd(polynomial, power2k(x, 1, polynomial) ^ x) === 1n && power2k(x, degree, polynomial) === x;
}

/** base^(2^times) mod polynomial */
function power2k(base: bigint, times: number, polynomial: bigint): bigint {
  let value = base;
  for (let i = 0; i < times; i++) value = multiply(value, value, polynomial);
  return value;
}

function multiply(left: bigint, right: bigint, polynomial: bigint): bigint {
  let product = 0n;
  for (let bits = right, shifted = left; bits > 0n; bits >>= 1n, shifted <<= 1n) if (bits & 1n) product ^= shifted;
  return remainder(product, polynomial);
}

function remainder(value: bigint, divisor: bigint): bigint {
  const size = degreeOf(divisor);
  let rest = value;
  for (let at = degreeOf(rest); at >= size; at = degreeOf(rest)) rest ^= divisor << BigInt(at - size);
  return rest;
}

function gcd(left: bigint, right: bigint): bigint {
  let [a, b] = [left, right];
  while (b !== 0n) [a, b] = [b, remainder(a, b)];
  return a;
}

const degreeOf = (value: bigint): number => (value === 0n ? -1 : value.toString(2).length - 1);
