/**
 * Exec credential plugins (client.authentication.k8s.io v1 and v1beta1): run once, kept until their credential expires
 * or the server refuses it. Several calls at once wait for one run. Nothing of the credential is ever logged.
 */
import { spawn } from 'node:child_process';
import { type Infer, object, parse, string } from '../../crds/schema/index.ts';
import type { Clock } from '../clock.ts';
import { StorkError } from '../errors.ts';
import type { Environment, ExecPlugin } from './cluster-config.ts';

const credentialStatus = object({
  token: string(),
  clientCertificateData: string(),
  clientKeyData: string(),
  expirationTimestamp: string(),
});

const execCredential = object({ apiVersion: string(), kind: string(), status: credentialStatus });

export type ExecCredential = Infer<typeof credentialStatus>;

export interface ExecCredentialEnvironment {
  /** What the plugin inherits. */
  readonly env: Environment;
  readonly clock: Clock;
  /** Whether the plugin may ask the person at the terminal. */
  readonly terminal: 'Present' | 'Absent';
}

export interface ExecCredentialSource {
  get(signal?: AbortSignal): Promise<ExecCredential>;
  /** The server answered 401: the next `get` runs the plugin again. */
  invalidate(): void;
}

/** A credential is renewed this long before it expires. */
const renewBeforeMs = 10_000;
/** A plugin that asks nobody has this long; one at a terminal may wait for its person. */
const silentPluginLimitMs = 60_000;
const interactivePluginLimitMs = 600_000;
const maxOutputLength = 1024 * 1024;

export function execCredentialSource(plugin: ExecPlugin, environment: ExecCredentialEnvironment): ExecCredentialSource {
  let kept: ExecCredential | undefined;
  let running: Promise<ExecCredential> | undefined;
  const isFresh = (credential: ExecCredential) => {
    if (credential.expirationTimestamp === undefined) return true;
    return Date.parse(credential.expirationTimestamp) - renewBeforeMs > environment.clock.now().getTime();
  };
  return {
    async get(signal) {
      signal?.throwIfAborted();
      if (kept !== undefined && isFresh(kept)) return kept;
      running ??= runPlugin(plugin, environment).finally(() => {
        running = undefined;
      });
      kept = await running;
      signal?.throwIfAborted();
      return kept;
    },
    invalidate() {
      kept = undefined;
    },
  };
}

async function runPlugin(plugin: ExecPlugin, environment: ExecCredentialEnvironment): Promise<ExecCredential> {
  const interactive = environment.terminal === 'Present' && plugin.interactiveMode !== 'Never';
  if (plugin.interactiveMode === 'Always' && !interactive) {
    throw failed(plugin, 'It needs a terminal (interactiveMode Always), and there is none.');
  }
  const text = await outputOf(plugin, environment, interactive ? 'Interactive' : 'Silent');
  const credential = parseCredential(plugin, text);
  if (credential.token !== undefined || credential.clientCertificateData !== undefined) return credential;
  throw failed(plugin, 'Its answer has neither a token nor a client certificate.');
}

function parseCredential(plugin: ExecPlugin, text: string): ExecCredential {
  try {
    const answer = parse(execCredential, JSON.parse(text));
    if (answer.apiVersion !== plugin.apiVersion || answer.kind !== 'ExecCredential') {
      throw new TypeError(`it says ${answer.apiVersion} ${answer.kind}, not ${plugin.apiVersion} ExecCredential`);
    }
    return answer.status ?? {};
  } catch {
    // The cause would quote the plugin's output, which may hold the credential.
    throw failed(plugin, `Its answer is not an ExecCredential of ${plugin.apiVersion}.`);
  }
}

function outputOf(
  plugin: ExecPlugin,
  environment: ExecCredentialEnvironment,
  mode: 'Interactive' | 'Silent',
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const terminal = mode === 'Interactive' ? 'inherit' : undefined;
  const child = spawn(plugin.command, plugin.args, {
    env: { ...environment.env, ...plugin.env, KUBERNETES_EXEC_INFO: execInfo(plugin, mode) },
    stdio: [terminal ?? 'ignore', 'pipe', terminal ?? 'pipe'],
    windowsHide: true,
  });
  const stop = (message: string) => {
    child.kill('SIGKILL');
    reject(failed(plugin, message));
  };
  const limitMs = mode === 'Interactive' ? interactivePluginLimitMs : silentPluginLimitMs;
  const timer = environment.clock.after(limitMs, () => stop(`It did not answer within ${limitMs} ms.`));
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (stdout.length > maxOutputLength) stop(`It wrote more than ${maxOutputLength} characters.`);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-1000);
  });
  child.on('error', (error) => reject(failed(plugin, 'It could not be started.', error)));
  child.on('close', (code, signal) => {
    timer[Symbol.dispose]();
    if (code === 0) resolve(stdout);
    else reject(failed(plugin, `It ended with ${code === null ? signal : `code ${code}`}. ${stderr.trim()}`.trim()));
  });
  return promise;
}

function execInfo(plugin: ExecPlugin, mode: 'Interactive' | 'Silent'): string {
  const cluster = plugin.cluster === undefined ? {} : { cluster: plugin.cluster };
  const spec = { interactive: mode === 'Interactive', ...cluster };
  return JSON.stringify({ apiVersion: plugin.apiVersion, kind: 'ExecCredential', spec });
}

const failed = (plugin: ExecPlugin, message: string, cause?: unknown) =>
  new StorkError({
    code: 'CredentialPluginFailed',
    message: `The credential plugin ${plugin.command} failed. ${message}`,
    about: plugin.command,
    hint: plugin.installHint,
    cause,
  });
