/** For tests: what a repository still gives, without a target: the digest of every file that can be read, by restore point and path. */
import { idOf } from '../format/object-id.ts';
import type { Repository } from '../repository.ts';
import { dumpFile } from '../restore/dump.ts';
import { snapshotTrees } from '../restore/snapshot-trees.ts';

/** By `snapshots/ID /path`. What is damaged is left out. */
export async function readableFiles(repository: Repository): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const signal = new AbortController().signal;
  const locations = await repository.loadIndex(signal, undefined, () => undefined);
  const trees = snapshotTrees(repository, locations, signal);
  const visit = async (tree: string, path: string): Promise<void> => {
    const nodes = await unlessLost(async () => [...(await trees.nodes(tree))]);
    for (const node of nodes ?? []) {
      const inside = `${path}/${node.name}`;
      if (node.subtree !== undefined) await visit(node.subtree, inside);
      const digest = await unlessLost(async () =>
        node.type === 'file'
          ? idOf(Buffer.concat(await Array.fromAsync(dumpFile(repository, locations, node, signal))))
          : undefined,
      );
      if (digest !== undefined) files.set(inside, digest);
    }
  };
  for (const { id, tree } of await repository.snapshots(signal, () => undefined)) await visit(tree, `snapshots/${id} `);
  return files;
}

async function unlessLost<Result>(read: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await read();
  } catch (error) {
    const isLost = error instanceof Error && 'code' in error && lost.has(String(error.code));
    if (!isLost) throw error;
    return undefined;
  }
}

const lost: ReadonlySet<string> = new Set(['RepositoryDamaged', 'ObjectMissing', 'ObjectTooShort', 'BlobMissing']);
