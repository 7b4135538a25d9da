import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  parseContentDigest,
  parseRestPath,
  parseStoredPage,
  parseTypeList,
  restPathOf,
} from '../store/rest-protocol.ts';
import { fails } from '../store/testing/store-suite.ts';
import { decideRange } from './byte-range.ts';
import { listTokens } from './list-token.ts';
import { parsePasswordFile, renderPasswordLine } from './password-file.ts';

const id = `ab${'0'.repeat(62)}`;

describe('paths of the REST protocol', () => {
  for (const [name, path] of [
    ['config', 'config'],
    [`data/ab/${id}`, `data/${id}`],
    [`locks/${id}`, `locks/${id}`],
    ['stork/deep/er.json', 'stork/deep/er.json'],
  ] as const)
    it(`has ${name} at ${path.slice(0, 20)}, both ways`, () => {
      assert.equal(restPathOf(name), path);
      assert.deepEqual(parseRestPath(path), { kind: 'Object', name });
    });

  it('has no place for other names', () => {
    for (const name of [
      '',
      'configs',
      `data/ac/${id}`,
      `data/${id}`,
      'index/none',
      'stork/',
      'stork/..',
      'stork/a..b',
      `x/${id}`,
    ])
      assert.equal(restPathOf(name), undefined, name);
  });

  it('takes no list for one that is none, or that has names nobody asked for', () => {
    const read = (text: string) => () => parseStoredPage(Buffer.from(text), 'stork/');
    for (const text of ['', '[]', '{"objects":1}', '{"objects":[["config",1,1]]}', '{"objects":[["stork/x",-1,1]]}'])
      assert.throws(read(text), fails('StoreUnavailable', true), text);
    assert.deepEqual(parseTypeList(Buffer.from('null'), 'index'), []);
    const listed = [
      { name: id, size: 3 },
      { name: `${id}.rest-server-temp1`, size: 1 },
    ];
    assert.deepEqual(
      parseTypeList(Buffer.from(JSON.stringify(listed)), 'data').map(({ name, sizeBytes }) => [name, sizeBytes]),
      [[`data/ab/${id}`, 3]],
    );
    assert.equal(parseContentDigest('sha-256=:short:'), undefined);
  });
});

describe('a range of bytes', () => {
  for (const [header, size, wanted] of [
    [undefined, 10, 'All'],
    ['bytes=0-', 10, { offset: 0, length: 10 }],
    ['bytes=2-4', 10, { offset: 2, length: 3 }],
    ['bytes=8-99', 10, { offset: 8, length: 2 }],
    ['bytes=-3', 10, { offset: 7, length: 3 }],
    ['bytes=10-', 10, 'None'],
    ['bytes=-0', 10, 'None'],
    ['bytes=0-', 0, 'All'],
    ['bytes=4-2', 10, 'All'],
    ['bytes=0-1,3-4', 10, 'All'],
    ['lines=1-2', 10, 'All'],
  ] as const)
    it(`${header} of ${size} is ${JSON.stringify(wanted)}`, () => {
      assert.deepEqual(decideRange(header, size), wanted);
    });
});

describe('where a list goes on', () => {
  it('is believed only as written, for the same prefix, by the same server', () => {
    const tokens = listTokens(Buffer.from('one'));
    const token = tokens.write('data/', 'data/00\ndata/01');
    assert.equal(tokens.read('data/', token), 'data/00\ndata/01');
    assert.equal(listTokens(Buffer.from('one')).read('data/', token), 'data/00\ndata/01');
    assert.equal(tokens.read('index/', token), undefined);
    assert.equal(listTokens(Buffer.from('two')).read('data/', token), undefined);
    assert.equal(tokens.read('data/', ''), undefined);
  });
});

describe('a file of users', () => {
  it('lets in who knows the password, again and again, and nobody else', async () => {
    const line = await renderPasswordLine('alice', 'pass:word', randomBytes(16));
    assert.ok(!line.includes('pass:word'));
    const users = parsePasswordFile(`# people\n${line}\n`, 'users', randomBytes(32));
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    for (let times = 0; times < 2; times++) assert.equal(await users.check(basic('alice:pass:word')), 'alice');
    for (const wrong of [
      undefined,
      'Basic',
      'Bearer x',
      basic('alice'),
      basic('alice:'),
      basic('alice:pass'),
      basic('bob:pass:word'),
    ])
      assert.equal(await users.check(wrong), undefined, wrong ?? 'none');
  });

  it('names the line that is none, and takes no bcrypt', () => {
    for (const text of ['', 'alice:secret', '\nalice:$2y$05$abcdefghijklmnopqrstuu'])
      assert.throws(() => parsePasswordFile(text, 'users', randomBytes(32)), { code: 'PasswordFileInvalid' });
  });

  it('takes no name that would be read as another', async () => {
    for (const user of ['', 'a:b', 'a b', 'a\nb'])
      await assert.rejects(renderPasswordLine(user, 'x', randomBytes(16)), { code: 'UserInvalid' });
  });
});
