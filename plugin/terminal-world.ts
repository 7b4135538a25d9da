/**
 * A person at a terminal, for tests: command lines run against API servers in memory, and everything shown is kept as a
 * transcript that testdata/*.txt holds. `UPDATE_GOLDEN=1` (npm test -- --update) rewrites those files.
 * tidy: ambient-calls because only tests import this file.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { admissionName, requesterAnnotation } from '../crds/agent-names.ts';
import { renderCrd } from '../crds/schema/index.ts';
import { allKinds, clusterPairs, operationKinds } from '../crds/v1alpha1/index.ts';
import type { Ambient } from '../kube/ambient.ts';
import type { LogsRequest } from '../kube/client/client.ts';
import { loadKubeconfig } from '../kube/client/load-kubeconfig.ts';
import { type ManualClock, manualClock } from '../kube/clock.ts';
import { ApiError, StorkError } from '../kube/errors.ts';
import { type FakeApiServer, type FakeApiServerOptions, fakeApiServer } from '../kube/fake/fake-api-server.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { allCommands } from './commands/all-commands.ts';
import { overrideConfig } from './connect-clusters.ts';
import { runCommandLine } from './run-command-line.ts';

export interface TerminalWorld {
  readonly clock: ManualClock;
  /** The API server of a context; contexts `east` (current) and `west` have our kinds. */
  readonly servers: Readonly<Record<'east' | 'west', FakeApiServer>>;
  /** Whether agents answer admission; `No`: as an API server tells it that reaches none. */
  readonly agents: { answer: 'Yes' | 'No' };
  /** Everything so far, as a person saw it. */
  transcript(): string;
  /** Runs a command line to its end; resolves to its exit code, which the transcript has too. */
  run(line: string, options?: RunOptions): Promise<number>;
  /** Lets everything that can happen now happen. */
  settle(): Promise<void>;
}

export interface RunOptions {
  /** Given on standard input. */
  readonly stdin?: string;
  readonly isTerminal?: 'Yes' | 'No';
  /** Aborts it as Ctrl-C does. */
  readonly interrupt?: AbortSignal;
}

export function terminalWorld(
  options: {
    readonly start?: Date;
    readonly kinds?: 'Installed' | 'Absent';
    readonly onLogs?: (request: LogsRequest) => string;
    readonly authorize?: FakeApiServerOptions['authorize'];
  } = {},
): TerminalWorld {
  const clock = manualClock(options.start ?? new Date('2019-07-09T02:06:00Z'));
  const { onLogs, authorize } = options;
  const agents = { answer: 'Yes' as 'Yes' | 'No' };
  const given = { clock, onLogs, authorize };
  const servers = { east: guardedServer(given, agents), west: guardedServer(given, agents) };
  if (options.kinds !== 'Absent') {
    for (const server of Object.values(servers)) for (const kind of allKinds) server.register(definitionOf(kind));
  }
  const shown: string[] = [];
  return {
    clock,
    servers,
    agents,
    transcript: () => shown.join(''),
    settle: () => clock.advance(0),
    async run(line, { stdin = '', isTerminal = 'No', interrupt } = {}) {
      shown.push(`$ kubectl stork ${line}\n`);
      const ambient = fakeAmbient({
        clock,
        stdin,
        isTerminal,
        shown,
        signal: interrupt ?? new AbortController().signal,
      });
      const code = await runCommandLine(wordsOf(line), { ambient, access: accessOf(servers), commands: allCommands });
      shown.push(code === 0 ? '\n' : `[exit ${code}]\n\n`);
      return code;
    },
  };
}

/** A pair as the plugin needs it: there. */
export function seedPair({ servers }: TerminalWorld, namespace: string, name: string): void {
  const { apiVersion, kind } = clusterPairs;
  servers.east.seed(clusterPairs, { apiVersion, kind, metadata: { namespace, name }, spec: {} });
}

/** Operations are marked as soon as an agent made its webhook trusted. */
function guardedServer(options: FakeApiServerOptions, agents: TerminalWorld['agents']): FakeApiServer {
  const server = fakeApiServer({
    ...options,
    admitCreate(object, { user }) {
      const isGuarded = server.objects().some(({ kind, webhooks }) => kind === guard && hasBundle(webhooks));
      if (agents.answer === 'No' && operationKinds.some(({ kind }) => kind === object.kind)) throw unanswered();
      if (object.kind !== 'Migration' || !isGuarded) return object;
      const annotations = { ...object.metadata.annotations, [requesterAnnotation]: JSON.stringify({ username: user }) };
      return { ...object, metadata: { ...object.metadata, annotations } };
    },
  });
  return server;
}

/** As kube-apiserver 1.36 says it. */
function unanswered(): ApiError {
  const message = `failed calling webhook "${admissionName}": failed to call webhook: Post "https://stork-webhook.stork-system.svc:443/mutate?timeout=5s": dial tcp 10.96.0.7:443: connect: connection refused`;
  const status = {
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  };
  return new ApiError(status, 'migrations');
}

const guard = 'MutatingWebhookConfiguration';
const hasBundle = (webhooks: unknown): boolean => JSON.stringify(webhooks ?? '').includes('"caBundle"');

/** Compares with testdata/NAME; the diff is the message. */
export async function assertGolden(name: string, actual: string): Promise<void> {
  const file = join(import.meta.dirname, 'testdata', name);
  if (process.env.UPDATE_GOLDEN === '1') return writeFile(file, actual);
  assert.equal(actual, await readFile(file, 'utf8'));
}

function definitionOf(kind: (typeof allKinds)[number]) {
  return assertDefinition(renderCrd(kind));
}

/** The fake reads a CRD's spec as the wire has it. */
function assertDefinition(crd: ReturnType<typeof renderCrd>): Parameters<FakeApiServer['register']>[0] {
  return crd as unknown as Parameters<FakeApiServer['register']>[0];
}

function accessOf(servers: TerminalWorld['servers']): ClusterAccess {
  return {
    connect(selection) {
      const context = selection.context ?? contextOfFile(selection.kubeconfig);
      if (context !== 'east' && context !== 'west') {
        const hint = 'It has: east, west.';
        const message = `The kubeconfig has no context ${JSON.stringify(context)}.`;
        return Promise.reject(new StorkError({ code: 'ContextNotFound', message, hint }));
      }
      return Promise.resolve({
        client: servers[context].client(),
        context,
        namespace: selection.namespace ?? 'default',
      });
    },
    configOf: async (selection) => {
      const readText = (path: string) => readFile(path, 'utf8');
      const { kubeconfig: path, context } = selection;
      const config = await loadKubeconfig({ env: {}, homeDirectory: import.meta.dirname, readText, path, context });
      return overrideConfig(config, selection);
    },
    contexts: () => Promise.resolve(Object.keys(servers)),
  };
}

/** `…/west.yaml` leads to west. */
const contextOfFile = (file: string | undefined) => basename(file ?? 'east', '.yaml');

/** Words as a shell splits them, single quotes included. */
function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

function fakeAmbient(given: {
  readonly clock: ManualClock;
  readonly stdin: string;
  readonly isTerminal: 'Yes' | 'No';
  readonly shown: string[];
  readonly signal: AbortSignal;
}): Ambient {
  const { clock, shown, signal, isTerminal } = given;
  const screen = (mark: string) =>
    Object.assign(
      new Writable({
        write(chunk, _encoding, done) {
          shown.push(String(chunk).replaceAll(/^(?=.)/gm, mark));
          done();
        },
      }),
      { isTTY: isTerminal === 'Yes', columns: 100 },
    );
  return {
    version: '0.1.0',
    env: {},
    clock,
    randomBytes: (sizeBytes) => new Uint8Array(sizeBytes),
    randomUuid: () => '00000000-0000-4000-8000-000000000000',
    random: () => 0.5,
    stdin: Object.assign(Readable.from([given.stdin]), { isTTY: false }),
    stdout: screen(''),
    // What goes to standard error is marked in the transcript.
    stderr: screen('! '),
    signal,
  };
}
