import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StorkError } from '../errors.ts';
import { readEmbeddedKubeconfig } from './embedded-kubeconfig.ts';
import { testAuthority, testServer } from './testing/test-certificates.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const secret = 'a-token-nobody-may-see';

const kubeconfig = (given: { readonly cluster?: object; readonly user?: object; readonly rest?: object } = {}) => ({
  'current-context': 'b',
  clusters: { b: { server: 'https://api.b.example:6443', ...given.cluster } },
  users: { admin: given.user ?? { token: secret } },
  contexts: { b: { cluster: 'b', user: 'admin' } },
  ...given.rest,
});

const certified = {
  'client-certificate-data': base64(testServer.cert),
  'client-key-data': base64(testServer.key),
};

describe('a kubeconfig inside an object', () => {
  it('is taken with an https server, an inline authority and a token', () => {
    const cluster = {
      server: 'https://api.b.example:6443/k8s/clusters/c-1/',
      'certificate-authority-data': base64(testAuthority),
      'insecure-skip-tls-verify': false,
      'certificate-authority': '',
      LocationOfOrigin: '/home/me/.kube/config',
    };
    const config = readEmbeddedKubeconfig(kubeconfig({ cluster, user: { token: `${secret}\n` } }), 'spec.config');
    assert.equal(config.server, 'https://api.b.example:6443/k8s/clusters/c-1');
    assert.deepEqual(config.trust.ca, { from: 'Inline', pem: testAuthority });
    assert.deepEqual(config.credentials, { token: { from: 'Inline', token: secret } });
  });

  it('is taken with a client certificate and its key, and without a current-context where there is one context', () => {
    const given = kubeconfig({ user: certified, rest: { 'current-context': '' } });
    const { credentials, name } = readEmbeddedKubeconfig(given, 'spec.config');
    assert.equal(name, 'b');
    assert.deepEqual(credentials.certificate?.key, { from: 'Inline', pem: testServer.key });
  });

  const two = { contexts: { b: { cluster: 'b', user: 'admin' }, c: { cluster: 'b', user: 'admin' } } };
  const refused: readonly (readonly [name: string, given: unknown, message: RegExp])[] = [
    ['exec', kubeconfig({ user: { exec: { command: 'curl' } } }), /users\.admin\.exec is not taken/],
    ['auth-provider', kubeconfig({ user: { 'auth-provider': { name: 'gcp' } } }), /admin\.auth-provider is not taken/],
    [
      'an authority in a file',
      kubeconfig({ cluster: { 'certificate-authority': '/etc/ca' } }),
      /b\.certificate-authority is/,
    ],
    [
      'a certificate in a file',
      kubeconfig({ user: { 'client-certificate': '/etc/c' } }),
      /admin\.client-certificate is/,
    ],
    ['a key in a file', kubeconfig({ user: { 'client-key': '/etc/k' } }), /users\.admin\.client-key is not taken/],
    [
      'a token in a file',
      kubeconfig({ user: { tokenFile: '/var/run/token' } }),
      /users\.admin\.tokenFile is not taken/,
    ],
    ['a password', kubeconfig({ user: { username: 'me', password: secret } }), /users\.admin\.username is not taken/],
    ['impersonation', kubeconfig({ user: { token: secret, 'act-as': 'root' } }), /users\.admin\.act-as is not taken/],
    ['an unknown field', kubeconfig({ user: { token: secret, run: 'x' } }), /users\.admin\.run is not taken/],
    [
      'no check of the server',
      kubeconfig({ cluster: { 'insecure-skip-tls-verify': true } }),
      /insecure-skip-tls-verify/,
    ],
    ['a proxy', kubeconfig({ cluster: { 'proxy-url': 'http://p' } }), /clusters\.b\.proxy-url is not taken/],
    [
      'another name for the check',
      kubeconfig({ cluster: { 'tls-server-name': 'x' } }),
      /b\.tls-server-name is not taken/,
    ],
    ['http', kubeconfig({ cluster: { server: 'http://api.b.example' } }), /b\.server is not https/],
    [
      'credentials in the URL',
      kubeconfig({ cluster: { server: `https://me:${secret}@b.example` } }),
      /credentials in its/,
    ],
    ['no URL', kubeconfig({ cluster: { server: 'b.example:6443' } }), /b\.server is not/],
    ['no server', kubeconfig({ cluster: { server: undefined } }), /b\.server is not a URL/],
    ['several contexts', kubeconfig({ rest: { ...two, 'current-context': '' } }), /2 contexts and no current-context/],
    ['no context', kubeconfig({ rest: { contexts: {}, 'current-context': '' } }), /names no context/],
    ['a context that is not there', kubeconfig({ rest: { 'current-context': 'x' } }), /contexts has no "x"/],
    ['a name of all objects', kubeconfig({ rest: { 'current-context': 'toString' } }), /contexts has no "toString"/],
    ['a user that is not there', kubeconfig({ rest: { users: {} } }), /users has no "admin"/],
    ['no credential', kubeconfig({ user: {} }), /users\.admin holds no credential/],
    [
      'a certificate alone',
      kubeconfig({ user: { ...certified, 'client-key-data': '' } }),
      /client-key-data is missing/,
    ],
    [
      'a key alone',
      kubeconfig({ user: { ...certified, 'client-certificate-data': '' } }),
      /certificate-data is missing/,
    ],
    [
      'an authority that is none',
      kubeconfig({ cluster: { 'certificate-authority-data': 'x' } }),
      /holds no certificate/,
    ],
    [
      'a key that is none',
      kubeconfig({ user: { ...certified, 'client-key-data': 'eA==' } }),
      /holds no unencrypted key/,
    ],
    [
      'a token of several words',
      kubeconfig({ user: { token: `${secret}\r\nHost: x` } }),
      /users\.admin\.token is not a/,
    ],
    ['a token that is no text', kubeconfig({ user: { token: 7 } }), /users\.admin\.token is not a token/],
    ['a list of clusters', kubeconfig({ rest: { clusters: [] } }), /clusters has not the form/],
    ['too much', kubeconfig({ rest: { extensions: 'x'.repeat(300_000) } }), /longer than 262144 characters/],
    ['nothing', {}, /names no context/],
  ];
  for (const [name, given, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => readEmbeddedKubeconfig(given, 'spec.config'),
        (error) => {
          assert.ok(error instanceof StorkError);
          assert.equal(error.code, 'KubeconfigRefused');
          assert.match(error.message, message);
          assert.ok((error.hint ?? '') !== '');
          assert.ok(
            !JSON.stringify(error)
              .concat(error.message, error.hint ?? '')
              .includes(secret),
          );
          return true;
        },
      );
    });
  }
});
