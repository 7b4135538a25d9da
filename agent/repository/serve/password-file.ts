/**
 * Who may use a served repository: a file of lines `USER:$scrypt$ln=15,r=8,p=1$SALT$HASH` (the PHC string format, base64 without padding,
 * https://github.com/P-H-C/phc-string-format). Every question costs the same, whether there is such a user or not.
 */
import { createHmac, scrypt, timingSafeEqual } from 'node:crypto';
import { StorkError } from '../../../kube/errors.ts';

export interface PasswordFile {
  /** The user's name; undefined when the header names nobody or the password is wrong. */
  check(authorization: string | undefined): Promise<string | undefined>;
}

interface Line {
  readonly user: string;
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

type Cost = Pick<Line, 'cost' | 'blockSize' | 'parallelization'>;

const usualCost: Cost = { cost: 15, blockSize: 8, parallelization: 1 };
const saltBytes = 16;
const hashBytes = 32;
const usersAtMost = 10_000;
/** Each takes 32 MiB and some 50 ms. */
const checksAtOnce = 2;
const waitingAtMost = 64;

const format =
  /^([^:\s]{1,128}):\$scrypt\$ln=(1[0-7]),r=(8|16),p=([1-4])\$([A-Za-z0-9+/]{16,86})\$([A-Za-z0-9+/]{43})$/;

/** One line for the file. */
export async function renderPasswordLine(user: string, password: string, salt: Uint8Array): Promise<string> {
  if (!/^[^:\s]{1,128}$/.test(user))
    throw new StorkError({
      code: 'UserInvalid',
      message: "A user's name has 1 to 128 characters, no colon and no blank",
      about: user,
      hint: 'Choose another name.',
    });
  const { cost, blockSize, parallelization } = usualCost;
  const line = { user, ...usualCost, salt: Buffer.from(salt.subarray(0, saltBytes)), hash: Buffer.alloc(hashBytes) };
  const hash = await derive(password, line);
  const parameters = `ln=${cost},r=${blockSize},p=${parallelization}`;
  return `${user}:$scrypt$${parameters}$${unpadded(line.salt)}$${unpadded(hash)}`;
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');

/**
 * @param secret of this process: what was proven once is remembered by its keyed hash, so that scrypt doesn't run for each request
 * @throws `PasswordFileInvalid` naming the line
 */
export function parsePasswordFile(text: string, file: string, secret: Uint8Array): PasswordFile {
  const lines = text.split(/\r?\n/).flatMap((line, at): readonly Line[] => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [, user = '', cost = '', blockSize = '', parallelization = '', salt = '', hash = ''] =
      format.exec(line) ?? failLine(file, at + 1);
    const numbers = { cost: Number(cost), blockSize: Number(blockSize), parallelization: Number(parallelization) };
    return [{ user, ...numbers, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }];
  });
  if (lines.length === 0 || lines.length > usersAtMost) failLine(file, 1);
  const users = new Map(lines.map((line) => [line.user, line]));
  const nobody: Line = { user: '', ...usualCost, salt: Buffer.alloc(saltBytes), hash: Buffer.alloc(hashBytes) };
  const keyed = (value: string) => createHmac('sha256', secret).update(value).digest();
  const proven = new Map<string, Buffer>();
  const inTurn = turns();
  return {
    async check(authorization) {
      const { user, password } = parseBasic(authorization) ?? {};
      if (user === undefined || password === undefined) return undefined;
      const presented = keyed(`${user}:${password}`);
      const known = proven.get(user);
      if (known !== undefined && timingSafeEqual(known, presented)) return user;
      const line = users.get(user);
      const hash = await inTurn(() => derive(password, line ?? nobody));
      // Compared for nobody, too: no user's hash is all zeros.
      if (hash === undefined || !timingSafeEqual(hash, (line ?? nobody).hash) || line === undefined) return undefined;
      proven.set(user, presented);
      return user;
    },
  };
}

function failLine(file: string, line: number): never {
  throw new StorkError({
    code: 'PasswordFileInvalid',
    message: `The file of users is wrong at line ${line}`,
    about: file,
    hint: 'Each line is what `stork-agent repo htpasswd USER --new-password-file FILE` prints; bcrypt is not read.',
  });
}

function parseBasic(header: string | undefined): { readonly user: string; readonly password: string } | undefined {
  const [, base64 = ''] = /^Basic ([A-Za-z0-9+/=]{1,1024})$/i.exec(header ?? '') ?? [];
  const [, user, password] = /^([^:]{1,128}):(.*)$/s.exec(Buffer.from(base64, 'base64').toString('utf8')) ?? [];
  return user === undefined || password === undefined ? undefined : { user, password };
}

function derive(password: string, { cost, blockSize, parallelization, salt, hash }: Line): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const options = { N: 2 ** cost, r: blockSize, p: parallelization, maxmem: 2 ** cost * blockSize * 256 };
  scrypt(password, salt, hash.length, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  return promise;
}

/** Undefined when too many wait already: they are guesses. */
function turns() {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <Result>(run: () => Promise<Result>): Promise<Result | undefined> => {
    if (running >= checksAtOnce) {
      if (waiting.length >= waitingAtMost) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      await promise;
    } else running++;
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
