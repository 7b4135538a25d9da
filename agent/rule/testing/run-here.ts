/** Commands "in" a fake's pods run in this machine's shell, for real. */
import { spawn } from 'node:child_process';
import type { ExecRequest, ExecResult } from '../../../kube/client/client.ts';

export function runHere(request: ExecRequest): Promise<ExecResult> {
  const [program = '', ...rest] = request.command;
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text.stdout += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text.stderr += piece;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ exitCode: code ?? 1, ...text }));
  });
}
