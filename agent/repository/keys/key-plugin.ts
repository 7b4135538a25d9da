/**
 * A program that wraps and unwraps keys for us, as a client of a KMS, an HSM or a TPM does: one run a request, one JSON document on its
 * standard input, one on its standard output. docs/repository-keys.md has the protocol. No secret is ever in its arguments.
 */
import { type ExecFileException, execFile } from 'node:child_process';
import { StorkError } from '../../../kube/errors.ts';

export interface KeyPlugin {
  /** Slots that it made carry it; it is asked for no others. */
  readonly name: string;
  /** What only it can turn back. @throws `KeyPluginFailed` */
  wrap(key: Buffer, signal?: AbortSignal): Promise<Buffer>;
  /** @throws `KeyPluginFailed`, also for what it did not wrap */
  unwrap(wrapped: Buffer, signal?: AbortSignal): Promise<Buffer>;
}

export interface KeyPluginConfig {
  readonly name: string;
  /** An absolute path, and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly timeoutMs: number;
}

const argumentsLimit = 64;
const defaultTimeoutSeconds = 30;
const timeoutLimitSeconds = 600;
const configFields = ['name', 'command', 'timeoutSeconds'];

/** Of a config file's JSON. @throws `KeyPluginConfigInvalid` naming the field */
export function parseKeyPluginConfig(text: string, about: string): KeyPluginConfig {
  const fields = parseObject(text) ?? wrongConfig('it is no JSON object', about);
  const unknown = Object.keys(fields).find((field) => !configFields.includes(field));
  if (unknown !== undefined) wrongConfig(`there is no field ${unknown.slice(0, 40)}`, about);
  const { name, command, timeoutSeconds = defaultTimeoutSeconds } = fields;
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name))
    return wrongConfig('name is no name of up to 63 letters, digits, dots and dashes', about);
  if (!Array.isArray(command) || command.length > argumentsLimit || !command.every((one) => typeof one === 'string'))
    return wrongConfig(`command is no list of up to ${argumentsLimit} texts`, about);
  const [program, ...rest] = command as readonly string[];
  if (program?.startsWith('/') !== true) return wrongConfig('command does not begin with an absolute path', about);
  const isTime = typeof timeoutSeconds === 'number' && timeoutSeconds > 0 && timeoutSeconds <= timeoutLimitSeconds;
  if (!isTime) return wrongConfig(`timeoutSeconds is no number up to ${timeoutLimitSeconds}`, about);
  return { name, command: [program, ...rest], timeoutMs: timeoutSeconds * 1000 };
}

function wrongConfig(what: string, about: string): never {
  throw new StorkError({
    code: 'KeyPluginConfigInvalid',
    message: `The config of a key plug-in is wrong: ${what}`,
    about,
    hint: 'As {"name": "prod-kms", "command": ["/usr/local/bin/PROGRAM", "ARGUMENT"], "timeoutSeconds": 30}.',
  });
}

const parseObject = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? { ...value } : undefined;
  } catch {
    return undefined;
  }
};

/** @param env what the program sees of the environment: its own credentials, mostly */
export function programPlugin(config: KeyPluginConfig, env: Readonly<Record<string, string | undefined>>): KeyPlugin {
  const ask = (request: Readonly<Record<string, string>>, field: string, signal: AbortSignal | undefined) =>
    runOnce(config, { env, stdin: JSON.stringify({ version: 1, ...request }), field, signal });
  return {
    name: config.name,
    wrap: (key, signal) => ask({ do: 'wrap', key: key.toString('base64') }, 'wrapped', signal),
    unwrap: (wrapped, signal) => ask({ do: 'unwrap', wrapped: wrapped.toString('base64') }, 'key', signal),
  };
}

interface Run {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: string;
  /** Of the answer: what was asked for, base64. */
  readonly field: string;
  readonly signal: AbortSignal | undefined;
}

/** What a plug-in may say: a KMS' answer is below 10 KiB. */
const answerLimitBytes = 64 * 1024;
const wrappedLimitBytes = 32 * 1024;

async function runOnce({ name, command, timeoutMs }: KeyPluginConfig, run: Run): Promise<Buffer> {
  const [program, ...args] = command;
  const { env, stdin, field, signal } = run;
  const fail = (what: string, said = ''): never => {
    throw new StorkError({
      code: 'KeyPluginFailed',
      message: `The key plug-in ${name} ${what}${said === '' ? '' : `; it said: ${said}`}`,
      about: program,
      hint: 'Run it by hand as docs/repository-keys.md shows; another key slot opens the repository meanwhile.',
      retryable: true,
    });
  };
  const { failure, stdout, stderr } = await new Promise<{
    failure: ExecFileException | null;
    stdout: string;
    stderr: string;
  }>((resolve) => {
    const options = {
      ...{ env: { ...env }, cwd: '/', timeout: timeoutMs, maxBuffer: answerLimitBytes, encoding: 'utf8' as const },
      ...{ killSignal: 'SIGKILL' as const, windowsHide: true, ...(signal === undefined ? {} : { signal }) },
    };
    const child = execFile(program, args, options, (error, out, err) =>
      resolve({ failure: error, stdout: out, stderr: err }),
    );
    // One that ends without reading has said why by its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stdin);
  });
  signal?.throwIfAborted();
  if (failure !== null) return fail(describeFailure(failure, timeoutMs), lastWords(stderr));
  const answer = readAnswer(stdout, field);
  return typeof answer === 'string' ? fail(answer, lastWords(stderr)) : answer;
}

/** Of a program's standard output, up to 64 KiB: the bytes in `field`; a text says what is wrong with it. */
export function readAnswer(stdout: string, field: string): Buffer | string {
  const answer = parseObject(stdout)?.[field];
  if (typeof answer !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(answer))
    return `answered without base64 in ${field}`;
  const bytes = Buffer.from(answer, 'base64');
  return bytes.length > wrappedLimitBytes ? `answered more than ${wrappedLimitBytes} bytes` : bytes;
}

function describeFailure({ code, killed, signal }: ExecFileException, timeoutMs: number): string {
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `said more than ${answerLimitBytes} bytes`;
  if (killed === true) return `did not answer within ${timeoutMs / 1000} s`;
  if (typeof code === 'number') return `ended with exit code ${code}`;
  return `could not be run (${code ?? signal ?? 'for an unknown reason'})`;
}

const lastWordsLength = 300;

/** Of its standard error, without what could play with a terminal. */
const lastWords = (stderr: string): string =>
  stderr
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(-lastWordsLength);
