/**
 * Takes secrets out of what is about to be logged: by the name of the field, and by the looks of the value (pairing codes,
 * tokens, private keys, credentials in URLs), because somebody will log an object that holds one. Pure.
 */
const mask = '[redacted]';

/** Field names whose value is never shown. A `code` alone is a reason; a pairing code has its own looks. */
const secretName =
  /^(authorization|cookie)$|password|passwd|secret(?!name)|token|credential|private.?key|proof|api.?key/i;

const secretLooks: readonly (readonly [RegExp, string])[] = [
  [/stork1\.[A-Za-z0-9_-]+(\.[0-9a-f]+)?/g, mask],
  [/eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, mask],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, mask],
  [/\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${mask}`],
  [/(\/\/[^/\s:@]+:)[^/\s@]+@/g, `$1${mask}@`],
];

const maxDepth = 6;
const maxEntries = 50;
const maxTextCharacters = 8192;

/** A copy that is safe to write: secrets masked, deep and long values cut, bytes and big integers made text. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return value;
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value;
  if (depth >= maxDepth) return '[deeper]';
  if (Array.isArray(value)) {
    const kept = value.slice(0, maxEntries).map((entry) => redact(entry, depth + 1));
    return value.length > maxEntries ? [...kept, `[${value.length - maxEntries} more]`] : kept;
  }
  const entries = Object.entries(value).slice(0, maxEntries);
  return Object.fromEntries(
    entries.map(([name, field]) => [name, secretName.test(name) && isFilled(field) ? mask : redact(field, depth + 1)]),
  );
}

export function redactText(text: string): string {
  const cut = text.length > maxTextCharacters ? `${text.slice(0, maxTextCharacters)}…` : text;
  return secretLooks.reduce((left, [looks, shown]) => left.replace(looks, shown), cut);
}

/** Only texts and bytes are secrets; counts and flags named so are not. */
const isFilled = (field: unknown) =>
  (typeof field === 'string' && field !== '') || (typeof field === 'object' && field !== null);
