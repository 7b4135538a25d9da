/** Reads a pairing code from a file, from a pipe, or from a prompt that doesn't show it; never from the command line. */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Ambient } from '../../kube/ambient.ts';
import { StorkError } from '../../kube/errors.ts';

/** Longer than any code of ours. */
const maxCodeLength = 16_384;

/** @throws StorkError `InvalidCode` (never quoting what was read) */
export async function readCode(ambient: Ambient, file: string | undefined): Promise<string> {
  if (file !== undefined && file !== '-') return checked(await readCodeFile(file));
  if (ambient.stdin.isTTY === true && file === undefined) return checked(await prompt(ambient));
  return checked(await readStream(ambient));
}

async function readCodeFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new StorkError({ code: 'BadFile', message: `can't read ${file}`, cause });
  }
}

async function readStream({ stdin }: Ambient): Promise<string> {
  let read = '';
  for await (const chunk of stdin) {
    read += String(chunk);
    if (read.length > maxCodeLength) break;
  }
  return read;
}

async function prompt({ stdin, stderr, signal }: Ambient): Promise<string> {
  stderr.write('Pairing code (not shown): ');
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: silent, terminal: true });
  try {
    return await lines.question('', { signal });
  } finally {
    lines.close();
    stderr.write('\n');
  }
}

function checked(read: string): string {
  const code = read.replaceAll(/\s+/g, '');
  if (code.length <= maxCodeLength && /^stork1\.[A-Za-z0-9_-]+\.[0-9a-f]+$/.test(code)) return code;
  throw new StorkError({
    code: 'InvalidCode',
    message: code === '' ? 'no pairing code was given' : 'what was given is not a pairing code (stork1.….…)',
    hint: 'Copy the whole code that `kubectl stork pair accept` printed on the other cluster.',
  });
}
