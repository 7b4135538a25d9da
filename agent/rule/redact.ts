/**
 * What a command printed, made fit for a status: the end of it, at most `limitBytes`, control characters dropped and
 * what looks like a credential replaced. A net, not a promise: a rule that prints a secret in its own words is not caught.
 */
export function redactTail(text: string, limitBytes: number): string {
  const cleaned = text.replaceAll(controlCharacters, '').trimEnd();
  const redacted = secretPatterns.reduce(
    (current, [pattern, replacement]) => current.replaceAll(pattern, replacement),
    cleaned,
  );
  return tail(redacted, limitBytes);
}

/** The last `limitBytes` bytes, never half a character. */
function tail(text: string, limitBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limitBytes) return text;
  let start = bytes.length - limitBytes;
  while (start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.subarray(start).toString();
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const controlCharacters = /[\u0000-\u0008\u000b-\u001f\u007f\u0080-\u009f]/g;
const hidden = '[redacted]';

const secretPatterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, hidden],
  [/\b(authorization\s*[:=]\s*)(?:(?:basic|bearer|token)\s+)?\S+/gi, `$1${hidden}`],
  [/\b(identified\s+by\s+(?:password\s+)?)('[^']*'|"[^"]*"|\S+)/gi, `$1${hidden}`],
  [
    /([\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[\w.-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)/gi,
    `$1${hidden}`,
  ],
  [/(--(?:password|pass|token|secret)\s+)\S+/gi, `$1${hidden}`],
  [/\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s/@]+@/gi, `$1${hidden}@`],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, hidden],
  [/(^|\s)(-p)(?=\S{3,})(?!\d+(?:\s|$))\S+/g, `$1$2${hidden}`],
];
