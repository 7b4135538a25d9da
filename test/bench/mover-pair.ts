/** Two mover processes that copy one folder through an agent's relay, and what they used. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type MoverRole,
  type MoverVolumeResult,
  moverCaVariable,
  parseMoverResult,
} from '../../agent/mover/contract.ts';
import { startLoopbackAgent } from '../../agent/mover/testing/loopback-agent.ts';
import { watchUsage } from './measured-command.ts';
import { type LinkShape, shapedLink } from './shaped-link.ts';

const entry = fileURLToPath(new URL('../../agent/mover/testing/mover-process.ts', import.meta.url));
const fromSource = [process.execPath, '--no-warnings', entry] as const;

export interface PairRun {
  readonly space: string;
  readonly from: string;
  readonly to: string;
  readonly run: string;
  /** For the destination. */
  readonly extra: readonly string[];
  readonly shape: LinkShape | undefined;
  /** The built agent; from source when undefined. */
  readonly program: string | undefined;
}

export interface PairUsage {
  readonly wallMs: number;
  /** Of both processes. */
  readonly cpuMs: number;
  /** Of the larger one. */
  readonly rssMb: number;
  readonly volume: MoverVolumeResult;
}

export async function copyWithMovers({ space, from, to, run, extra, shape, program }: PairRun): Promise<PairUsage> {
  await using agent = await startLoopbackAgent(shape && (() => shapedLink(shape)));
  writeFileSync(join(space, 'token'), 'token');
  const start = performance.now();
  const half = async (role: MoverRole) => {
    const result = join(space, `${role}-result`);
    const flags = {
      ...{ run, role, agent: agent.url, volume: `data=${role === 'source' ? from : to}` },
      ...{
        staging: join(space, 'staging'),
        cache: join(space, 'cache'),
        'cache-guard': '2',
        'token-file': join(space, 'token'),
        'result-file': result,
      },
    };
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    const [command, ...before] = program === undefined ? fromSource : [program, 'mover'];
    const child = spawn(command, [...before, ...args, ...(role === 'source' ? [] : extra)], {
      env: { ...process.env, [moverCaVariable]: agent.ca },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const usage = watchUsage(child.pid ?? 0);
    await once(child, 'exit');
    return { result: parseMoverResult(readFileSync(result)), ...usage.end() };
  };
  const [source, destination] = await Promise.all([half('source'), half('destination')]);
  const wallMs = performance.now() - start;
  const [volume] = destination.result.volumes;
  if (destination.result.outcome !== 'Complete' || volume === undefined)
    throw new Error(`the copy ended: ${destination.result.message} / ${source.result.message}`);
  const rssMb = Math.max(source.rssMb, destination.rssMb);
  return { wallMs, cpuMs: source.cpuMs + destination.cpuMs, rssMb, volume };
}
