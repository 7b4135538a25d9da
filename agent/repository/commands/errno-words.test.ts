import assert from 'node:assert/strict';
import { it } from 'node:test';
import { inWords } from './errno-words.ts';

it('says what a system error means and keeps its name, and leaves every other message alone', () => {
  assert.equal(inWords('EACCES'), 'permission denied (EACCES)');
  assert.equal(inWords('EIO'), 'i/o error (EIO)');
  for (const message of ['it grew while it was read', 'ENOTHING', 'EACCES: of something', ''])
    assert.equal(inWords(message), message);
});
