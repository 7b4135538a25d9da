import { memoryStore } from './memory-store.ts';
import { describeStore } from './testing/store-suite.ts';

describeStore('memory', async () => {
  const objects = new Map<string, Buffer>();
  const open = () => memoryStore(objects, { pageObjects: 10 });
  return { store: open(), again: open, [Symbol.asyncDispose]: async () => {} };
});
