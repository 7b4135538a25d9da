/**
 * The reference plug-in, for tests and to copy from: `file-key-plugin.ts KEY-FILE` wraps with AES-256-GCM under the 32 bytes of a file, where
 * a real one asks its KMS. tidy: ambient-calls because it is a program of its own.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { stdin } from 'node:process';
import { text } from 'node:stream/consumers';

const [ivLength, tagLength] = [12, 16];

interface Request {
  readonly version: number;
  readonly do: string;
  readonly key?: string;
  readonly wrapped?: string;
}

const key = readFileSync(process.argv[2] ?? '');
const request = JSON.parse(await text(stdin)) as Request;
if (request.version !== 1) throw new Error(`unknown version ${request.version}`);
if (request.do === 'wrap') {
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const sealed = Buffer.concat([iv, cipher.update(request.key ?? '', 'base64'), cipher.final(), cipher.getAuthTag()]);
  process.stdout.write(JSON.stringify({ wrapped: sealed.toString('base64') }));
} else if (request.do === 'unwrap') {
  const sealed = Buffer.from(request.wrapped ?? '', 'base64');
  const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivLength));
  cipher.setAuthTag(sealed.subarray(-tagLength));
  const opened = Buffer.concat([cipher.update(sealed.subarray(ivLength, -tagLength)), cipher.final()]);
  process.stdout.write(JSON.stringify({ key: opened.toString('base64') }));
} else throw new Error(`unknown request ${request.do}`);
