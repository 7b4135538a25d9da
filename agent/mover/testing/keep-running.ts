/** For tests: a mover process that is started again, like a kubelet does, until it ends with a final result. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../kube/clock.ts';
import { type MoverResult, type MoverRole, moverCaVariable, parseMoverResult } from '../contract.ts';
import type { LoopbackAgent } from './loopback-agent.ts';
import type { Scratch } from './test-volumes.ts';

const program = fileURLToPath(new URL('./mover-process.ts', import.meta.url));

/** What V8 allows itself in a container with a mover's memory limit; outside of one it sees no need to tidy up. */
const asInContainer = ['--max-old-space-size=128', '--max-semi-space-size=8'];

export interface Half {
  readonly role: MoverRole;
  /** Ends the running process as a node's power loss would. */
  kill(): void;
  /** The result, after as many restarts as kills. */
  readonly result: Promise<MoverResult>;
  /** The most memory that one of its processes held, as far as it was seen. */
  readonly peakMemoryMb: number;
}

/** Runs a mover process and starts it again, like a kubelet, until it ends with a final result. */
export function keepRunning(space: Scratch, agent: LoopbackAgent, role: MoverRole, argv: readonly string[]): Half {
  const resultFile = space.path(`${role}-result`);
  const tokenFile = space.path('token');
  writeFileSync(tokenFile, 'token');
  let child: ChildProcess | undefined;
  let peakMemoryMb = 0;
  const clock = systemClock();
  const run = async (): Promise<MoverResult> => {
    for (let attempt = 0; attempt < 20; attempt++) {
      const args = [
        '--role',
        role,
        '--agent',
        agent.url,
        '--token-file',
        tokenFile,
        '--result-file',
        resultFile,
        ...argv,
      ];
      child = spawn(process.execPath, ['--no-warnings', ...asInContainer, program, ...args], {
        env: { [moverCaVariable]: agent.ca },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const ended = once(child, 'exit');
      while (child.exitCode === null && child.signalCode === null) {
        peakMemoryMb = Math.max(peakMemoryMb, memoryMbOf(child.pid));
        await clock.sleep(50);
      }
      const [code, signal] = await ended;
      if (code === 0) return parseMoverResult(readFileSync(resultFile));
      if (signal === null) assert.fail(`${role} exited with ${code}: ${readFileSync(resultFile, 'utf8')}`);
    }
    return assert.fail(`${role} never ended`);
  };
  return {
    role,
    kill: () => void child?.kill('SIGKILL'),
    result: run(),
    get peakMemoryMb() {
      return peakMemoryMb;
    },
  };
}

function memoryMbOf(pid: number | undefined): number {
  try {
    const peakKb = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(peakKb ?? 0) / 1024;
  } catch {
    // It has ended: what was seen last counts.
    return 0;
  }
}
