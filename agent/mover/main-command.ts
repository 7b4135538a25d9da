/**
 * `stork-agent mover`: one half of a copy, as a Job's pod runs it; and `stork-agent mover digest PATH`, which prints a tree's
 * digest as JSON (for tests and for people who want to compare two volumes themselves).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Ambient } from '../../kube/ambient.ts';
import { renderError, StorkError } from '../../kube/errors.ts';
import { createAgentClient } from './agent-client.ts';
import { runKeyBytes } from './content-hash.ts';
import {
  type MoverResult,
  type MoverRole,
  type MoverVolumeProgress,
  moverCaVariable,
  moverContractVersion,
  moverExitCode,
  moverModes,
  moverResultFile,
  moverRoles,
  moverTokenFile,
  renderMoverResult,
  reportedVolumes,
} from './contract.ts';
import type { DestinationOptions, DestinationProgress, DestinationSpec } from './destination-run.ts';
import { digestVolume } from './digest-volume.ts';
import { fetchTrees, treeLimitOf } from './kept-trees.ts';
import { errnoOf, fail } from './mover-error.ts';
import { runMover as runEngines } from './run-mover.ts';
import { openSyscalls } from './syscalls.ts';
import type { CacheOptions } from './tree-cache.ts';
import { createWorkerPool } from './worker-pool.ts';

/** Threads that read, hash, compress and write; each costs about 25 MB. */
const moverWorkers = 2;

/** @param argv what follows the word `mover`. Returns the exit code, never throws for what a user can cause. */
export async function runMover(argv: readonly string[], ambient: Ambient): Promise<number> {
  try {
    return argv[0] === 'digest'
      ? await printDigest(argv.slice(1), ambient)
      : await copy(parseMoverArguments(argv), ambient);
  } catch (error) {
    ambient.stderr.write(`stork-agent mover: ${renderError(error)}\n`);
    return 1;
  }
}

export interface MoverArguments {
  readonly run: string;
  readonly role: MoverRole;
  readonly mode: (typeof moverModes)[number];
  readonly agent: string;
  readonly volumes: readonly DestinationSpec[];
  readonly existing: DestinationOptions['existing'];
  readonly staging: string;
  readonly stagingLimitBytes: number;
  readonly cache: CacheOptions | undefined;
  /** What it knows from the last sync lies with its agent. */
  readonly cacheIsAgents: boolean;
  readonly tokenFile: string;
  readonly resultFile: string;
}

const argumentOptions = {
  run: { type: 'string' },
  role: { type: 'string' },
  mode: { type: 'string', default: 'fresh' },
  agent: { type: 'string' },
  volume: { type: 'string', multiple: true },
  'expect-digest': { type: 'string', multiple: true },
  overwrite: { type: 'boolean', default: false },
  redo: { type: 'boolean', default: false },
  staging: { type: 'string', default: '/scratch' },
  'staging-limit': { type: 'string', default: String(Number.MAX_SAFE_INTEGER) },
  cache: { type: 'string' },
  'cache-guard': { type: 'string', default: '300' },
  'no-cache': { type: 'boolean', default: false },
  'agent-cache': { type: 'boolean', default: false },
  'token-file': { type: 'string', default: moverTokenFile },
  'result-file': { type: 'string', default: moverResultFile },
} as const;

/** Throws `InvalidArgument` naming the flag. */
export function parseMoverArguments(argv: readonly string[]): MoverArguments {
  const { values } = parseArgs({ args: [...argv], options: argumentOptions, strict: true, allowPositionals: false });
  const digests = new Map((values['expect-digest'] ?? []).map((text) => splitAt(text, '--expect-digest')));
  const volumes = (values.volume ?? [])
    .map((text) => splitAt(text, '--volume'))
    .map(([name, path]) => volumeOf(name, path, digests.get(name)))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  if (volumes.length === 0) fail('InvalidArgument', 'At least one --volume NAME=PATH is needed');
  return {
    run: values.run ?? fail('InvalidArgument', '--run is needed'),
    role: moverRoles.find((role) => role === values.role) ?? fail('InvalidArgument', '--role is source or destination'),
    mode: moverModes.find((mode) => mode === values.mode) ?? fail('InvalidArgument', '--mode is fresh or update'),
    agent: values.agent ?? fail('InvalidArgument', '--agent is needed'),
    volumes,
    existing: existingOf(values),
    staging: values.staging,
    stagingLimitBytes: Number(values['staging-limit']),
    cache: cacheOf(values, volumes),
    cacheIsAgents: values['agent-cache'] && values.cache === undefined,
    tokenFile: values['token-file'],
    resultFile: values['result-file'],
  };
}

interface CacheFlags {
  readonly cache?: string | undefined;
  readonly 'cache-guard': string;
  readonly 'no-cache': boolean;
  readonly 'agent-cache': boolean;
  readonly staging: string;
}

function cacheOf(flags: CacheFlags, volumes: readonly DestinationSpec[]): CacheOptions | undefined {
  const guardMs = Number(flags['cache-guard']) * 1000;
  if (!(guardMs >= 0)) fail('InvalidArgument', '--cache-guard takes seconds');
  const directory = flags.cache ?? (flags['agent-cache'] ? join(flags.staging, 'trees') : undefined);
  if (directory === undefined) return undefined;
  return { directory, guardMs, read: flags['no-cache'] ? 'All' : 'Changed', limitBytes: treeLimitOf(volumes) };
}

function existingOf(flags: { readonly overwrite: boolean; readonly redo: boolean }): DestinationOptions['existing'] {
  if (flags.overwrite) return 'Overwrite';
  return flags.redo ? 'Redo' : 'Refuse';
}

const blockSuffix = ':block';

function volumeOf(name: string, path: string, expectDigest: string | undefined): DestinationSpec {
  const isBlock = path.endsWith(blockSuffix);
  const plain = isBlock ? path.slice(0, -blockSuffix.length) : path;
  // Paths are byte strings inside the mover.
  const bytes = Buffer.from(plain, 'utf8').toString('latin1');
  return { name, path: bytes, kind: isBlock ? 'block' : 'files', expectDigest };
}

function splitAt(text: string, flag: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) fail('InvalidArgument', `${flag} takes NAME=VALUE, not ${JSON.stringify(text)}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function copy(args: MoverArguments, ambient: Ambient): Promise<number> {
  const { clock, env, signal } = ambient;
  const { run, role, volumes, cache } = args;
  const ca = env[moverCaVariable] ?? fail('InvalidArgument', `${moverCaVariable} holds no certificate`);
  const readToken = () => readFileSync(args.tokenFile, 'utf8').trim();
  const client = createAgentClient({ url: args.agent, ca, run, readToken, clock });
  const pool = createWorkerPool(moverWorkers);
  const shared = { run, volumes, cache, pool, syscalls: openSyscalls(), clock, signal };
  const connect = (stop: AbortSignal) => client.openStream(role, stop);
  const report = reporter(client, run, role);
  try {
    const options =
      role === 'source'
        ? ({ role, ...shared, connect, onProgress: report } as const)
        : ({
            role,
            ...shared,
            connect,
            onProgress: report,
            mode: args.mode,
            existing: args.existing,
            staging: { directory: args.staging, limitBytes: args.stagingLimitBytes },
            randomBytes: ambient.randomBytes,
            awaitGate: client.awaitGate,
          } as const);
    const { directory } = cache ?? {};
    const kept =
      args.cacheIsAgents && directory !== undefined
        ? await fetchTrees({ client, role, volumes, directory, clock, signal })
        : undefined;
    const result = await runEngines(options, ambient.randomUuid);
    if (result.outcome === 'Complete') await kept?.handBack();
    writeResult(result, args.resultFile, ambient);
    return moverExitCode(result);
  } finally {
    await client.close();
    await pool.close();
  }
}

function reporter(client: ReturnType<typeof createAgentClient>, run: string, role: MoverRole) {
  return ({ phase, files, filesTotal, bytes, bytesTotal, bytesSent, volumes }: DestinationProgress & OfVolumes) =>
    client.report({
      version: moverContractVersion,
      run,
      role,
      phase,
      bytesDone: bytes,
      // What grows under the copy may pass what was measured before it.
      bytesTotal: bytesTotal === 0 ? 0 : Math.max(bytesTotal, bytes),
      bytesSent,
      filesDone: files,
      filesTotal,
      volumes: volumes
        ?.slice(0, reportedVolumes)
        .map((one) => ({ name: one.name, bytesRead: one.bytesRead, bytesSent: one.bytesSent })),
    });
}

interface OfVolumes {
  readonly volumes?: readonly MoverVolumeProgress[];
}

/** The kubelet shows the file to the agent; the same on stdout, in whole, is for people who read the pod's log. */
function writeResult(result: MoverResult, path: string, ambient: Ambient): void {
  ambient.stdout.write(`${JSON.stringify(result)}\n`);
  try {
    writeFileSync(path, renderMoverResult(result));
  } catch (error) {
    ambient.stderr.write(
      `stork-agent mover: the result could not be written to ${path}: ${errnoOf(error) ?? String(error)}\n`,
    );
  }
}

async function printDigest(argv: readonly string[], ambient: Ambient): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: { block: { type: 'boolean' } },
    allowPositionals: true,
  });
  const [path] = positionals;
  if (path === undefined) throw new StorkError({ code: 'InvalidArgument', message: 'digest takes one path' });
  const pool = createWorkerPool(moverWorkers);
  try {
    const root = Buffer.from(path, 'utf8').toString('latin1');
    const kind = values.block === true ? 'block' : 'files';
    const found = await digestVolume({
      key: ambient.randomBytes(runKeyBytes),
      root,
      kind,
      pool,
      syscalls: openSyscalls(),
      signal: ambient.signal,
    });
    ambient.stdout.write(`${JSON.stringify(found)}\n`);
    return 0;
  } finally {
    await pool.close();
  }
}
