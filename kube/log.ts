/**
 * What runtime code and features log through: one line per fact, fields instead of prose. The agent's structured log
 * (agent/observe) is one of these; tests use `silentLog()` or `memoryLog()`.
 */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** `fields.error` may be any thrown value; the log renders it. */
  error(message: string, fields?: LogFields): void;
  /** A log whose lines carry `fields` too. */
  with(fields: LogFields): Log;
}

/** Drops everything. */
export function silentLog(): Log {
  const nothing = () => {};
  const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, with: () => log };
  return log;
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps its lines, for tests that assert what a person would have been told. */
export function memoryLog(): Log & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const build = (base: LogFields): Log => {
    const write = (level: LogLine['level']) => (message: string, fields?: LogFields) =>
      void lines.push({ level, message, fields: { ...base, ...fields } });
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: (fields) => build({ ...base, ...fields }),
    };
  };
  return { ...build({}), lines };
}
