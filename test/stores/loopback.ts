/** Servers of tests on 127.0.0.1: a port for each, its process, and when it answers. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export interface ServerProcess {
  readonly program: string;
  readonly args: readonly string[];
  /** `HOST:PORT` at which it will answer. */
  readonly address: string;
  /** What it keeps, and vanishes with it. */
  readonly folder?: string;
  readonly options: SpawnOptions;
}

/** Resolves when the server answers, to what ends it; rejects, with nothing left, when it ends first. */
export async function startServer(server: ServerProcess): Promise<() => Promise<void>> {
  const child = spawn(server.program, server.args, server.options);
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    if (server.folder !== undefined) await rm(server.folder, { recursive: true, force: true });
  };
  try {
    await untilAnswers(server.address, ended);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

/** Resolves when something answers at `HOST:PORT`; rejects when the server's process ends first. */
async function untilAnswers(address: string, ended: Promise<unknown>): Promise<void> {
  const early = ended.then(() => Promise.reject(new Error(`the server for ${address} ended at once`)));
  await Promise.race([connects(address), early]);
}

async function connects(address: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await fetch(`http://${address}/`);
      return;
    } catch (error) {
      // A TLS server answers plain HTTP with a refusal that fetch can't read: connected is enough.
      const cause = error instanceof Error ? error.cause : undefined;
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
      if (code !== 'ECONNREFUSED') return;
      if (tries > 1200) throw error;
      await sleep(50);
    }
  }
}
