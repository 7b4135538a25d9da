import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TreeNode } from '../format/tree.ts';
import { childDirectories } from './child-directories.ts';

const node = (at: number) => ({ name: `n${at}`, type: at % 3 === 0 ? 'file' : 'dir' }) as TreeNode;

describe('the directories of a directory', () => {
  for (const entries of [0, 30, 1536, 1537, 9000])
    it(`come in order, each once, of ${entries} names`, async () => {
      const all = Array.from({ length: entries }, (_, at) => node(at));
      const children = childDirectories(async () => all);
      const wanted = all.filter(({ type }) => type === 'dir');
      for (const one of wanted) children.add(one);
      assert.deepEqual(await Array.fromAsync(children.all()), wanted);
    });
});
