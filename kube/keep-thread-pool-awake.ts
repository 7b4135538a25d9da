/**
 * Keeps file operations from hanging for ever where glibc is older than 2.41 (Debian 12 has 2.36): there `pthread_cond_signal` may wake nobody
 * (https://sourceware.org/bugzilla/show_bug.cgi?id=25847), so that a request lies in the queue of Node's thread pool while all of its threads
 * sleep, until somebody asks for something else. In a program that waits for that very request nobody does. Seen here: a torture run that stood
 * still, one request in the queue, four idle threads; it went on when one more was posted. So one is posted every second, of no meaning.
 * tidy: ambient-calls because the real pool needs it, whatever clock the program's logic has.
 */
import { lstat } from 'node:fs';

export interface AwakeOptions {
  /** Asks the thread pool for something that ends at once. */
  readonly post?: (done: () => void) => void;
  readonly everyMs?: number;
}

/** Beyond, the pool's threads are busy (a dead NFS server, say), not asleep. */
const waitingAtMost = 8;

/** Once for a process: its worker threads share the pool. Keeps no process alive. */
export function keepThreadPoolAwake({ post = (done) => lstat('/', done), everyMs = 1000 }: AwakeOptions = {}): void {
  let waiting = 0;
  const done = (): void => {
    waiting--;
  };
  setInterval(() => {
    if (waiting >= waitingAtMost) return;
    waiting++;
    post(done);
  }, everyMs).unref();
}
