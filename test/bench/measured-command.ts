/** Runs a program to its end and says what it used: seconds, CPU, the most memory. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Usage {
  readonly wallMs: number;
  /** User and system. */
  readonly cpuMs: number;
  readonly rssMb: number;
}

export interface MeasuredCommand extends Usage {
  readonly stdout: string;
}

const ticksPerSecond = 100;
const lookEveryMs = 20;

/** @throws with the end of its output when it doesn't end with 0 */
export async function measureCommand(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<MeasuredCommand> {
  const start = performance.now();
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const usage = watchUsage(child.pid ?? 0);
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      out[name] += text;
    });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const wallMs = performance.now() - start;
  const used = usage.end();
  if (code !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${(out.stderr + out.stdout).slice(-2000)}`);
  return { wallMs, ...used, stdout: out.stdout };
}

/** What the kernel says a process (with its threads) has used, looked at often enough to miss little of its end. */
export function watchUsage(pid: number): { end(): Omit<Usage, 'wallMs'> } {
  let usage = { cpuMs: 0, rssMb: 0 };
  const look = () => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [user, system] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13)
        .map(Number);
      const peakKb = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      const cpuMs = (((user ?? 0) + (system ?? 0)) / ticksPerSecond) * 1000;
      if (peakKb !== undefined) usage = { cpuMs, rssMb: Number(peakKb) / 1024 };
    } catch {
      // It has ended: what was seen last counts.
    }
  };
  const timer = setInterval(look, lookEveryMs);
  return {
    end() {
      clearInterval(timer);
      return usage;
    },
  };
}
