/** `stork-agent dump`: a file of a restore point, a raw device's image or a directory's archive, to standard output. */
import { once } from 'node:events';
import type { Ambient } from '../../../kube/ambient.ts';
import { dumpDevice } from '../devices/dump-device.ts';
import { isDevice, openStoredDevice } from '../devices/stored-device.ts';
import { failRepository } from '../repository-error.ts';
import { dumpFile } from '../restore/dump.ts';
import { dumpTree } from '../restore/dump-tree.ts';
import { type CareRun, commonUsage, incompleteExitCode, runCareCommand, wrongArgument } from './care-arguments.ts';
import { openRestorePoint } from './open-restore-point.ts';
import { toBytes, toText } from './path-text.ts';
import { refuseUnknownLatest } from './readable-snapshots.ts';
import { filterOptions, filterUsage } from './snapshot-arguments.ts';

const usage = `Usage: stork-agent dump --repo PLACE --password-file FILE [options] latest|ID[:PATH] [PATH]

Writes one file of a restore point, the whole image of a raw device, or a directory as a tar archive to standard output, proven byte
for byte. The archive's names are those of the restore point without the first slash; with ID:PATH they begin below PATH:
  stork-agent dump … latest:/srv/data | kubectl exec -i POD -- tar -x -C /srv/data

${commonUsage}      --archive tar           the form of archives; there is no other
${filterUsage}
Exit code: 0 all was written, 3 all but what no archive can hold (sockets), which is named, 1 failed: what was written so far is no
whole file or archive, 2 wrong arguments.
`;

const options = { archive: { type: 'string' }, ...filterOptions } as const;

export const runDumpCommand = (argv: readonly string[], ambient: Ambient): Promise<number> =>
  runCareCommand('dump', { usage, options, words: 'Taken', run }, argv, ambient);

async function run(care: CareRun): Promise<number> {
  const { archive = 'tar' } = care.options;
  if (archive !== 'tar') throw wrongArgument('The form of an archive is tar', '--archive');
  const point = await openRestorePoint(care);
  refuseUnknownLatest(point.wanted, point.damaged);
  const { snapshot, trees, locations } = point;
  const path = toBytes(point.path).replace(/\/+$/, '');
  const node = await trees.find(snapshot.tree, path);
  const { signal } = care.ambient;
  const tools = { repository: care.context.repository, locations, trees, signal };
  if (node?.type === 'file') return await write(dumpFile(tools.repository, locations, node, signal), care);
  const tree = node === undefined ? snapshot.tree : node.subtree;
  if (tree === undefined)
    return failRepository('PathMissing', 'That is neither a file nor a directory of the restore point', toText(path));
  if (node !== undefined && (await isDevice(trees, tree)))
    return await write(dumpDevice(await openStoredDevice(tools, snapshot.tree, path), tools), care);
  if (care.ambient.stdout.isTTY === true)
    throw wrongArgument(
      'A directory becomes a tar archive, which is nothing for a terminal: say where to, as > FILE.tar',
    );
  let leftOut = 0;
  const onLeftOut = (name: string, type: string) => {
    leftOut++;
    care.warn(`${toText(name)}: no archive can hold it (${type})`);
  };
  const inArchive = namesWithout(toBytes(point.below), path);
  await write(dumpTree({ tree, node, path: inArchive }, { ...tools, onLeftOut }), care);
  return leftOut > 0 ? incompleteExitCode : 0;
}

const partsOf = (path: string) => path.split('/').filter((part) => part !== '');

/** What of a path lies below another that it begins with. */
const namesWithout = (below: string, path: string): string => partsOf(path).slice(partsOf(below).length).join('/');

async function write(content: AsyncIterable<Buffer>, { ambient: { stdout, signal } }: CareRun): Promise<number> {
  for await (const bytes of content) if (!stdout.write(bytes)) await once(stdout, 'drain', { signal });
  return 0;
}
