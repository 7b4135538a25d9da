/**
 * Writes a container image as one tar, without a container engine: an OCI image layout that also has docker's
 * manifest.json, so that `ctr images import`, `docker load` and `podman load` all take it. Equal input gives equal bytes.
 */
import { createHash } from 'node:crypto';
import { sizeOf, type TarEntry, tarArchive } from './tar-archive.ts';

export interface ImageSpec {
  /** Full names, for example `docker.io/library/stork-agent:0.1.0`. */
  readonly names: readonly string[];
  /** One manifest each; the first is the one that engines without multi-platform support see. */
  readonly platforms: readonly PlatformSpec[];
}

export interface PlatformSpec {
  readonly architecture: 'amd64' | 'arm64';
  /** Layers from the bottom up. */
  readonly layers: readonly (readonly TarEntry[])[];
  readonly config: ContainerConfig;
}

/** Keys as the image format has them. */
export interface ContainerConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly WorkingDir: string;
  readonly Labels: Readonly<Record<string, string>>;
}

interface Blob {
  readonly digest: string;
  readonly pieces: readonly Uint8Array[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string; readonly os: 'linux' };
}

const mediaType = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
};

/** The image's tar as a sequence of pieces. */
export function imageArchive(spec: ImageSpec): readonly Uint8Array[] {
  const platforms = spec.platforms.map(platformBlobs);
  const [first] = platforms;
  if (first === undefined) throw new RangeError('an image needs a platform');
  const many = jsonBlob({
    schemaVersion: 2,
    mediaType: mediaType.index,
    manifests: platforms.map(({ manifest }) => manifest),
  });
  const top = platforms.length === 1 ? first.manifest : describe(mediaType.index, many);
  const blobs = uniqueBlobs([
    ...platforms.flatMap((platform) => platform.blobs),
    ...(platforms.length === 1 ? [] : [many]),
  ]);
  const dockerManifest = [
    {
      Config: blobPath(first.config.digest),
      RepoTags: spec.names.map((name) => name.replace(/^docker\.io\/library\//, '')),
      Layers: first.layers.map((layer) => blobPath(layer.digest)),
    },
  ];
  return tarArchive([
    { type: 'folder', path: 'blobs', mode: 0o755 },
    { type: 'folder', path: 'blobs/sha256', mode: 0o755 },
    ...blobs.map(
      (blob): TarEntry => ({ type: 'file', path: blobPath(blob.digest), mode: 0o644, content: blob.pieces }),
    ),
    jsonFile('index.json', {
      schemaVersion: 2,
      mediaType: mediaType.index,
      manifests: spec.names.map((name) => named(top, name)),
    }),
    jsonFile('manifest.json', dockerManifest),
    jsonFile('oci-layout', { imageLayoutVersion: '1.0.0' }),
  ]);
}

function platformBlobs(platform: PlatformSpec) {
  const layers = platform.layers.map((entries) => blobOf(tarArchive(entries)));
  const config = jsonBlob({
    created: '1970-01-01T00:00:00Z',
    architecture: platform.architecture,
    os: 'linux',
    config: platform.config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
    history: layers.map(() => ({ created: '1970-01-01T00:00:00Z', created_by: 'scripts/build' })),
  });
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config: describe(mediaType.config, config),
    layers: layers.map((layer) => describe(mediaType.layer, layer)),
  });
  const descriptor: Descriptor = {
    ...describe(mediaType.manifest, manifest),
    platform: { architecture: platform.architecture, os: 'linux' },
  };
  return { config, layers, manifest: descriptor, blobs: [...layers, config, manifest] };
}

const named = (descriptor: Descriptor, name: string) => ({
  ...descriptor,
  annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.split(':').at(-1) },
});

const describe = (type: string, blob: Blob): Descriptor => ({
  mediaType: type,
  digest: blob.digest,
  size: sizeOf(blob.pieces),
});

const uniqueBlobs = (blobs: readonly Blob[]): readonly Blob[] => [
  ...new Map(blobs.map((blob) => [blob.digest, blob])).values(),
];

const blobPath = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

function blobOf(pieces: readonly Uint8Array[]): Blob {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return { digest: `sha256:${hash.digest('hex')}`, pieces };
}

const jsonBlob = (value: unknown): Blob => blobOf([Buffer.from(JSON.stringify(value))]);

const jsonFile = (path: string, value: unknown): TarEntry => ({
  type: 'file',
  path,
  mode: 0o644,
  content: Buffer.from(JSON.stringify(value)),
});
