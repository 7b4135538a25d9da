/** For `node --import`, in every program of this house: see kube/keep-thread-pool-awake.ts. */
import { isMainThread } from 'node:worker_threads';
import { keepThreadPoolAwake } from '../kube/keep-thread-pool-awake.ts';

// Worker threads inherit the option, and share the pool.
if (isMainThread) keepThreadPoolAwake();
