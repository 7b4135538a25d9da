/** A yes-or-no question on a terminal; anything but y or yes is a no. */
import { createInterface } from 'node:readline/promises';
import type { Ambient } from '../../kube/ambient.ts';

export async function askYes({ stdin, stderr, signal }: Ambient, question: string): Promise<'Yes' | 'No'> {
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim()) ? 'Yes' : 'No';
  } finally {
    lines.close();
  }
}
