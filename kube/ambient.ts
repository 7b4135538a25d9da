/**
 * The world a program is started in, as one value: environment, time, chance, standard streams, the wish to stop.
 * Only `agent/main.ts` and `plugin/main.ts` make one (of the real process); everything below receives it by parameter.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { type Clock, systemClock } from './clock.ts';

/** An output stream; on a terminal `isTTY` is true and `columns` is known. */
export type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export interface Ambient {
  /** The program's version, as package.json has it. */
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Unpredictable bytes, fit for keys. */
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  readonly randomUuid: () => string;
  /** Evenly spread in [0, 1), for jitter. */
  readonly random: () => number;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  /** Aborted once when somebody asks the program to stop (SIGINT, SIGTERM). */
  readonly signal: AbortSignal;
}

/** What of a Node process an Ambient is made of. */
export interface HostProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Ambient['stdin'];
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  on(event: 'SIGINT' | 'SIGTERM', listener: (name: string) => void): unknown;
  exit(code: number): never;
}

/**
 * The Ambient of a running process. The first SIGINT or SIGTERM aborts `signal` with the signal's name; the second ends
 * the process at once with the exit code shells expect (130 or 143).
 */
export function ambientOf(host: HostProcess, version: string): Ambient {
  const stop = new AbortController();
  const ask = (code: number) => (name: string) => {
    if (stop.signal.aborted) host.exit(code);
    stop.abort(name);
  };
  host.on('SIGINT', ask(130));
  host.on('SIGTERM', ask(143));
  return {
    version,
    env: host.env,
    clock: systemClock(),
    randomBytes: (sizeBytes) => randomBytes(sizeBytes),
    randomUuid: () => randomUUID(),
    random: () => randomInt(2 ** 40) / 2 ** 40,
    stdin: host.stdin,
    stdout: host.stdout,
    stderr: host.stderr,
    signal: stop.signal,
  };
}
