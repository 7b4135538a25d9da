/**
 * The agent's log: one JSON object a line with time, level, message and fields (`operation` joins what belongs to one
 * operation, on both clusters). Everything passes the redaction; errors are rendered with code, hint and causes.
 */
import type { Clock } from '../../kube/clock.ts';
import { renderError, StorkError } from '../../kube/errors.ts';
import type { Log, LogFields, LogLine } from '../../kube/log.ts';
import { redact, redactText } from './redact.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = LogLine['level'];

export interface LogOptions {
  /** Takes one line without its end; never throws. */
  readonly write: (line: string) => void;
  readonly clock: Clock;
  /** Lines below this are dropped; `info` unless told. */
  readonly level?: LogLevel | undefined;
}

export function createLog({ write, clock, level = 'info' }: LogOptions): Log {
  const least = logLevels.indexOf(level);
  const build = (base: LogFields): Log => {
    const at =
      (lineLevel: LogLevel) =>
      (message: string, fields: LogFields = {}) => {
        if (logLevels.indexOf(lineLevel) < least) return;
        const shown = { ...base, ...fields, ...renderedError(fields.error) };
        const line = { time: clock.now().toISOString(), level: lineLevel, message: redactText(message) };
        write(render({ ...assertFields(redact(shown)), ...line }));
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: (fields) => build({ ...base, ...fields }),
    };
  };
  return build({});
}

/** time, level and message first, so that a person finds them. */
function render({ time, level, message, ...fields }: LogFields): string {
  return JSON.stringify({ time, level, message, ...fields });
}

function renderedError(error: unknown): LogFields {
  if (!(error instanceof Error)) return {};
  const code = error instanceof StorkError ? { code: error.code } : { stack: error.stack };
  return { error: renderError(error), ...code };
}

/** `redact` maps an object to an object. */
const assertFields = (redacted: unknown) => redacted as LogFields;
