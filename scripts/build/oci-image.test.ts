import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { list } from 'tar';
import { imageArchive, type PlatformSpec } from './oci-image.ts';

const aPlatform = (architecture: 'amd64' | 'arm64'): PlatformSpec => ({
  architecture,
  layers: [[{ type: 'file', path: 'program', mode: 0o755, content: Buffer.from(architecture) }]],
  config: { User: '65532:65532', Env: [], Entrypoint: ['/program'], WorkingDir: '/', Labels: {} },
});

const names = ['docker.io/library/example:1.2.3', 'stork.test/example:dev'];

async function filesOf(platforms: readonly PlatformSpec[]): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const reader = list({
    onReadEntry: (entry) => {
      const parts: Buffer[] = [];
      entry.on('data', (part) => parts.push(part));
      entry.on('end', () => files.set(entry.path, Buffer.concat(parts)));
    },
  });
  await new Promise<void>((resolve, reject) => {
    reader.on('end', resolve).on('error', reject);
    reader.end(Buffer.concat(imageArchive({ names, platforms })));
  });
  return files;
}

const jsonAt = (files: ReadonlyMap<string, Buffer>, path: string) => JSON.parse(files.get(path)?.toString() ?? 'null');
const blob = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

describe('imageArchive', () => {
  it('stores every blob under its own digest', async () => {
    const files = await filesOf([aPlatform('amd64'), aPlatform('arm64')]);
    const blobs = [...files].filter(([path, content]) => path.startsWith('blobs/sha256/') && content.length > 0);
    assert.equal(blobs.length, 7);
    for (const [path, content] of blobs)
      assert.equal(path, `blobs/sha256/${createHash('sha256').update(content).digest('hex')}`);
  });

  it('points from each name to the manifest, and from there to config and layers', async () => {
    const files = await filesOf([aPlatform('amd64')]);
    const { manifests } = jsonAt(files, 'index.json');
    assert.deepEqual(
      manifests.map((m: { annotations: Record<string, string> }) => m.annotations['io.containerd.image.name']),
      names,
    );
    const manifest = jsonAt(files, blob(manifests[0].digest));
    const layer = files.get(blob(manifest.layers[0].digest));
    assert.equal(layer?.length, manifest.layers[0].size);
    const config = jsonAt(files, blob(manifest.config.digest));
    assert.deepEqual(config.rootfs.diff_ids, [manifest.layers[0].digest]);
    assert.equal(config.architecture, 'amd64');
  });

  it('has an index of platforms when there are several', async () => {
    const files = await filesOf([aPlatform('amd64'), aPlatform('arm64')]);
    const platforms = jsonAt(files, blob(jsonAt(files, 'index.json').manifests[0].digest));
    assert.deepEqual(
      platforms.manifests.map((m: { platform: object }) => m.platform),
      [
        { architecture: 'amd64', os: 'linux' },
        { architecture: 'arm64', os: 'linux' },
      ],
    );
  });

  it('serves docker with short names', async () => {
    const [entry] = jsonAt(await filesOf([aPlatform('amd64')]), 'manifest.json');
    assert.deepEqual(entry.RepoTags, ['example:1.2.3', 'stork.test/example:dev']);
  });

  it('gives the same bytes for the same input', () => {
    const make = () => Buffer.concat(imageArchive({ names, platforms: [aPlatform('amd64')] }));
    assert.ok(make().equals(make()));
  });
});
