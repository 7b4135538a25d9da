/** `--password-secret` on a real API server: a ServiceAccount that may get this one Secret, and one that may not. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { kubectlFor } from '../../../test/conformance/kubectl.ts';
import { type RunningApiServer, startApiServer } from '../../../test/testbed/apiserver.ts';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { runCommandIn } from '../testing/run-command.ts';

const password = 'of the vault';
/** As docs/repository-keys.md has them: the test reads them there. */
const documented = /```yaml\n(apiVersion: rbac[\s\S]*?)```/.exec(
  readFileSync(new URL('../../../docs/repository-keys.md', import.meta.url), 'utf8'),
)?.[1];

let server: RunningApiServer;
let kubectl: Awaited<ReturnType<typeof kubectlFor>>;
before(async () => {
  server = await startApiServer();
  kubectl = await kubectlFor(server.kubeconfigPath);
});
after(() => server.stop());

async function done(argv: readonly string[], input?: unknown): Promise<string> {
  const { code, stdout, stderr } = await kubectl(argv, input);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** A kubeconfig for a ServiceAccount of the namespace. */
async function kubeconfigOf(account: string, file: string): Promise<string> {
  await done(['-n', 'vault', 'create', 'serviceaccount', account]);
  const token = (await done(['-n', 'vault', 'create', 'token', account])).trim();
  const config = parse(await readFile(server.kubeconfigPath, 'utf8'));
  writeFileSync(
    file,
    stringify({ ...config, users: config.users.map((one: object) => ({ ...one, user: { token } })) }),
  );
  return file;
}

describe('a repository whose password is in a Secret', () => {
  it('is made, written and read by who has the documented right, and by nobody else', async () => {
    using space = scratch();
    await done(['create', 'namespace', 'vault']);
    await done(['-n', 'vault', 'create', 'secret', 'generic', 'repository', `--from-literal=password=${password}`]);
    const [may, mayNot] = [
      await kubeconfigOf('stork-backup', space.path('may')),
      await kubeconfigOf('other', space.path('may-not')),
    ];
    assert.ok(documented !== undefined, 'the rights are in docs/repository-keys.md');
    const items = parseAllDocuments(documented).map((document) => document.toJS());
    await done(['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
    const repo = ['--repo', space.path('repo')];
    const secret = [...repo, '--password-secret', 'vault/repository'];
    const run = (KUBECONFIG: string, ...argv: readonly string[]) => runCommandIn({ KUBECONFIG }, ...argv);
    const made = await run(may, 'repo', 'init', ...secret);
    assert.equal(made.exitCode, 0, made.stderr);
    writeFileSync(space.path('file'), 'content');
    assert.equal((await run(may, 'backup', ...secret, space.path('file'))).exitCode, 0);
    writeFileSync(space.path('password'), password);
    assert.equal((await run(may, 'list', ...repo, '--password-file', space.path('password'))).exitCode, 0);
    const denied = await run(mayNot, 'list', ...secret);
    assert.equal(denied.exitCode, 1);
    assert.match(denied.stderr, /may not read.*Secret vault\/repository[\s\S]*get secrets/);
    const absent = await run(may, 'list', ...repo, '--password-secret', 'vault/repository/other');
    assert.match(absent.stderr, /no key other; it has password/);
    for (const { stdout, stderr } of [made, denied, absent]) assert.ok(!`${stdout}${stderr}`.includes(password));
    assert.equal((await run(may, 'list', ...repo, '--password-secret', 'vault')).exitCode, 2);
  });
});
