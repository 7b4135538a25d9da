/** The agent's container image: its executable on the least root file system that it runs on. */
import { readFile, writeFile } from 'node:fs/promises';
import { imageArchive, type PlatformSpec } from './oci-image.ts';
import { type Arch, rootFileSystem } from './root-file-system.ts';

/** The name that tests and the demo use, whatever the version. */
export const developmentImage = 'stork.test/stork-agent:dev';

export interface AgentOfArch {
  readonly arch: Arch;
  readonly executable: string;
  /** Where its libraries are: `/`, or a folder with unpacked packages. */
  readonly root: string;
}

/** Writes the image of `agents` to `path`. */
export async function writeAgentImage(path: string, version: string, agents: readonly AgentOfArch[]): Promise<void> {
  const platforms = await Promise.all(agents.map((agent) => platformOf(agent, version)));
  const names = [`docker.io/library/stork-agent:${version}`, developmentImage];
  await writeFile(path, imageArchive({ names, platforms }));
}

async function platformOf({ arch, executable, root }: AgentOfArch, version: string): Promise<PlatformSpec> {
  const program = await readFile(executable);
  return {
    architecture: arch === 'x64' ? 'amd64' : 'arm64',
    layers: [
      rootFileSystem(program, arch, root),
      [{ type: 'file', path: 'usr/local/bin/stork-agent', mode: 0o755, content: program }],
    ],
    config: {
      User: '65532:65532',
      Env: ['PATH=/usr/local/bin', 'HOME=/tmp', 'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt'],
      Entrypoint: ['/usr/local/bin/stork-agent'],
      WorkingDir: '/',
      Labels: { 'org.opencontainers.image.title': 'stork-agent', 'org.opencontainers.image.version': version },
    },
  };
}
