/**
 * The agent's log: one JSON object a line, fields instead of prose. What looks like a secret never gets out: values of
 * telling names are masked, and tokens, keys and codes are cut out of any text.
 */
import type { Writable } from 'node:stream';
import type { Clock } from '../../kube/clock.ts';
import { renderError, StorkError } from '../../kube/errors.ts';
import type { Log, LogFields } from '../../kube/log.ts';

export interface JsonLogOptions {
  readonly stream: Writable;
  readonly clock: Clock;
  /** Lines below are dropped; `info` unless told. */
  readonly level?: LogLevel | undefined;
}

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Characters of one field's text. */
const maxText = 4096;
const secretName = /(token|secret|password|passphrase|private.?key|authorization|credential)/i;
const mask = '[masked]';
const secretText: readonly RegExp[] = [
  /\bstork1\.[A-Za-z0-9_.-]{16,}/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g,
  /\b[Bb]earer [A-Za-z0-9._-]{8,}/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
];

export function createJsonLog(options: JsonLogOptions): Log {
  const threshold = logLevels.indexOf(options.level ?? 'info');
  const build = (base: LogFields): Log => {
    const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
      if (logLevels.indexOf(level) < threshold) return;
      const line = {
        time: options.clock.now().toISOString(),
        level,
        message: redactText(message),
        ...redactFields({ ...base, ...fields }),
      };
      options.stream.write(`${JSON.stringify(line)}\n`);
    };
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: (fields) => build({ ...base, ...fields }),
    };
  };
  return build({});
}

/** Pure. */
export function redactText(text: string): string {
  const masked = secretText.reduce((rest, pattern) => rest.replace(pattern, mask), text);
  return masked.length <= maxText ? masked : `${masked.slice(0, maxText)}…`;
}

/** An error's `code` is a name, not a secret code; that field is added after masking. */
export function redactFields(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, redactField(name, value)]));
}

function redactField(name: string, value: unknown): unknown {
  if (value instanceof Error) {
    const code = value instanceof StorkError ? { code: value.code } : { stack: redactText(value.stack ?? '') };
    return { ...code, message: redactText(renderError(value)) };
  }
  if (typeof value === 'string') return secretName.test(name) ? mask : redactText(value);
  if (typeof value === 'object' && value !== null) return redactText(JSON.stringify(value, maskKeys));
  return value;
}

const maskKeys = (name: string, value: unknown): unknown =>
  typeof value === 'string' && secretName.test(name) ? mask : value;
