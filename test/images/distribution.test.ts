import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findCodename } from './distribution.ts';

describe('the distribution that images are made of', () => {
  it("is the machine's own Debian or Ubuntu", () => {
    assert.equal(findCodename('ID=debian\nVERSION_CODENAME=bookworm\n'), 'bookworm');
    assert.equal(findCodename('NAME="Ubuntu"\nVERSION_CODENAME=noble\nID=ubuntu\n'), 'noble');
  });

  it('is left to the default on any other system', () => {
    assert.equal(findCodename('ID=fedora\nVERSION_CODENAME=""\n'), undefined);
    assert.equal(findCodename(''), undefined);
  });
});
