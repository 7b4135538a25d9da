/** What is worth reading when a run has failed, in a folder of its own. */
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentNamespace } from '../../crds/agent-names.ts';
import type { CrashBed } from './crash-bed.ts';

const inAgents = ['-n', agentNamespace];
const objects = 'jobs,pods,pvc,configmaps,volumesnapshots,leases';
const allOf = (selector: string) => ['logs', ...inAgents, '-l', selector, '--tail=-1', '--prefix', '--ignore-errors'];

/** @returns the folder */
export async function keepEvidence({ clusters, namespace }: CrashBed, migration: string): Promise<string> {
  const folder = join(tmpdir(), 'stork-crash', migration);
  await mkdir(folder, { recursive: true });
  const questions: Readonly<Record<string, readonly string[]>> = {
    agent: allOf('app.kubernetes.io/name=stork-agent'),
    'agent-before': [...allOf('app.kubernetes.io/name=stork-agent'), '--previous'],
    movers: allOf('stork.libopenstorage.org/run'),
    migrations: ['get', 'migrations.stork.libopenstorage.org', '-n', namespace, '-o', 'yaml'],
    pairs: ['get', 'clusterpairs.stork.libopenstorage.org', '-A', '-o', 'yaml'],
    'agents-objects': ['get', objects, ...inAgents, '-o', 'yaml'],
    objects: ['get', `${objects},deployments`, '-n', namespace, '-o', 'yaml'],
    volumes: ['get', 'pv,volumesnapshotcontents,volumeattachments', '-o', 'yaml'],
    events: ['get', 'events', '-A'],
  };
  for (const side of [clusters.a, clusters.b])
    for (const [name, question] of Object.entries(questions)) {
      const answer = await side.kubectl(question).catch((error: Error) => error.message);
      await writeFile(join(folder, `${side.context}-${name}.txt`), answer);
    }
  return folder;
}
