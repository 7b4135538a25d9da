import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderError, StorkError } from '../../../kube/errors.ts';
import { parseStoreAddress, renderStoreAddress, type StoreAddress } from './store-address.ts';

const s3 = (bucket: string, prefix: string, endpoint?: string, region?: string): StoreAddress => ({
  ...{ kind: 'S3', bucket, prefix, endpoint, region },
});
const aws = 's3.amazonaws.com';

const accepted: readonly (readonly [text: string, address: StoreAddress, rendered?: string])[] = [
  ['/srv/backups', { kind: 'Directory', path: '/srv/backups' }],
  ['backups', { kind: 'Directory', path: 'backups' }],
  ['./s3:odd', { kind: 'Directory', path: './s3:odd' }],
  ['local:/srv/x', { kind: 'Directory', path: '/srv/x' }, '/srv/x'],
  ['s3:https://minio.example.com:9000/b1x/a/b', s3('b1x', 'a/b', 'https://minio.example.com:9000')],
  ['s3:http://127.0.0.1:9000/b1x', s3('b1x', '', 'http://127.0.0.1:9000')],
  ['s3:http://[::1]:9000/b1x/p', s3('b1x', 'p', 'http://[::1]:9000')],
  ['s3:https://host.example/b1x//a/./b/', s3('b1x', 'a/b', 'https://host.example'), 's3:https://host.example/b1x/a/b'],
  ['s3:HTTPS://Host.Example/b1x', s3('b1x', '', 'https://host.example'), 's3:https://host.example/b1x'],
  ['s3:localhost/b1x', s3('b1x', '', 'https://localhost'), 's3:https://localhost/b1x'],
  ['s3:host.example:8443/b1x', s3('b1x', '', 'https://host.example:8443'), 's3:https://host.example:8443/b1x'],
  ['s3:https://internal/b1x', s3('b1x', '', 'https://internal')],
  [`s3:${aws}/b1x/p`, s3('b1x', 'p'), `s3:https://${aws}/b1x/p`],
  [`s3://${aws}/b1x/p`, s3('b1x', 'p'), `s3:https://${aws}/b1x/p`],
  [
    's3:s3.eu-central-1.amazonaws.com/b1x',
    s3('b1x', '', undefined, 'eu-central-1'),
    's3:https://s3.eu-central-1.amazonaws.com/b1x',
  ],
  [
    's3:https://s3-us-west-2.amazonaws.com/b1x',
    s3('b1x', '', undefined, 'us-west-2'),
    's3:https://s3.us-west-2.amazonaws.com/b1x',
  ],
  ['s3:my-bucket/p/q', s3('my-bucket', 'p/q'), `s3:https://${aws}/my-bucket/p/q`],
  ['s3://my-bucket', s3('my-bucket', ''), `s3:https://${aws}/my-bucket`],
  ['azure:con:/p/q', { kind: 'Azure', container: 'con', prefix: 'p/q' }],
  ['azure:con:/', { kind: 'Azure', container: 'con', prefix: '' }],
  ['azure:con:p', { kind: 'Azure', container: 'con', prefix: 'p' }, 'azure:con:/p'],
  ['azure:$root:/p', { kind: 'Azure', container: '$root', prefix: 'p' }],
  ['gs:buck.et:/p', { kind: 'GoogleCloud', bucket: 'buck.et', prefix: 'p' }],
  [
    'rest:https://host.example:8000',
    { kind: 'Rest', url: 'https://host.example:8000/' },
    'rest:https://host.example:8000/',
  ],
  [
    'rest:HTTPS://Host.Example/a//b',
    { kind: 'Rest', url: 'https://host.example/a/b/' },
    'rest:https://host.example/a/b/',
  ],
  ['rest:http://127.0.0.1:8000/', { kind: 'Rest', url: 'http://127.0.0.1:8000/' }],
  ['rest:http://[::1]:8000/', { kind: 'Rest', url: 'http://[::1]:8000/' }],
];

const refused: readonly (readonly [text: string, says: RegExp])[] = [
  ['', /empty/],
  ['local:', /empty/],
  ['sftp:user@host:/x', /no kind of store "sftp"/],
  ['https://host/bucket', /no kind of store "https"/],
  ['s3:', /bucket is missing/],
  ['s3:https:///bucket', /host is missing/],
  ['s3:https://host.example', /no bucket follows the host "host.example"/],
  ['s3:my.bucket', /no bucket follows the host/],
  ['s3:https://host.example/bucket/../b', /"\.\."/],
  ['s3:https://host.example/b', /"b" can't be a bucket/],
  ['s3:eu-central-1/bucket', /"eu-central-1" is a region.*\n.*s3\.eu-central-1\.amazonaws\.com/],
  ['s3:https://host name/bucket', /"host name" is no host/],
  ['rest:host.example:8000', /no http or https URL/],
  ['rest:https://', /no http or https URL/],
  ['rest:http://host.example:8000/', /plain http/],
  ['rest:http://127.0.0.1.host.example/', /plain http/],
  ['rest:http:///x', /no http or https URL/],
  ['azure:con', /colon is missing after the container "con"/],
  ['azure::/p', /container is missing/],
  ['gs:bu cket:/p', /"bu cket" can't be a bucket/],
];

const secrets: readonly string[] = [
  's3:https://AKIAXX:verysecret@host.example/bucket',
  'rest:https://user:verysecret@host.example/',
  'rest:https://host.example/?token=verysecret',
  's3:AKIAXX:verysecret@host.example/bucket',
  's3://AKIAXX:verysecret@host.example/bucket',
  's3:https://host.example/bucket?X-Amz-Signature=verysecret',
  'azure:con:/p?sig=verysecret',
  'gs:verysecret@bucket:/p',
];

describe('address of a store', () => {
  for (const [text, address, rendered = text] of accepted)
    it(`takes ${text}`, () => {
      const parsed = parseStoreAddress(text);
      assert.deepEqual(parsed, address);
      assert.equal(renderStoreAddress(parsed), rendered);
      assert.deepEqual(parseStoreAddress(rendered), address);
    });

  for (const [text, says] of refused)
    it(`refuses "${text}" and says which part is wrong`, () => {
      assert.throws(
        () => parseStoreAddress(text),
        (error) => error instanceof StorkError && error.code === 'StoreAddressInvalid' && says.test(renderError(error)),
      );
    });

  for (const text of secrets)
    it(`refuses ${text.slice(0, 6)}… with a secret in it, and does not repeat it`, () => {
      assert.throws(
        () => parseStoreAddress(text),
        (error) =>
          error instanceof StorkError &&
          error.code === 'StoreAddressSecret' &&
          !/verysecret|AKIAXX/.test(renderError(error)) &&
          error.hint !== undefined,
      );
    });
});
