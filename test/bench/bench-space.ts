/** A directory for what a benchmark makes: gone when it is disposed of, and when the process ends before. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function benchSpace(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'stork-bench-'));
  const remove = () => rmSync(path, { recursive: true, force: true });
  process.once('exit', remove);
  return {
    path,
    [Symbol.dispose]() {
      process.off('exit', remove);
      remove();
    },
  };
}
