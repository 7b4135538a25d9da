/**
 * Keeps what all threads of a backup read, or of a restore write, within a rate: a volume in use has other users. Every thread pays into
 * one account that all share: the moment until which what was used so far is paid for.
 */

export interface LocalLimits {
  readonly bytesPerS?: number | undefined;
  /** One is up to 256 KiB that lie together, as EBS counts them. Looking at names and attributes isn't counted. */
  readonly operationsPerS?: number | undefined;
}

/** For a thread. */
export interface SharedLimits extends LocalLimits {
  /** Two moments, in µs of the process's monotonic clock: for bytes, for operations. */
  readonly paidUntil: SharedArrayBuffer;
}

/** Pays for what is about to be used; returns when it may be. Blocks its thread. */
export type Pace = (bytes: number) => void;

export const operationBytes = 256 * 1024;

/** Undefined when there is nothing to keep to. */
export function shareLimits(limits: LocalLimits | undefined): SharedLimits | undefined {
  if (limits?.bytesPerS === undefined && limits?.operationsPerS === undefined) return undefined;
  return { ...limits, paidUntil: new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT) };
}

export interface Waiting {
  nowUs(): bigint;
  sleep(ms: number): void;
}

/** Undefined when there is nothing to pay for: then nobody need add up what is used. */
export function pacer(limits: SharedLimits | undefined, waiting: Waiting = ofThisThread()): Pace | undefined {
  if (limits === undefined) return undefined;
  const { bytesPerS, operationsPerS } = limits;
  const paidUntil = new BigInt64Array(limits.paidUntil);
  const pay = (account: number, seconds: number): bigint => {
    const costUs = BigInt(Math.ceil(seconds * 1e6));
    for (;;) {
      const before = Atomics.load(paidUntil, account);
      const nowUs = waiting.nowUs();
      const waitUs = before - nowUs;
      const from = waitUs > 0n ? before : nowUs;
      if (Atomics.compareExchange(paidUntil, account, before, from + costUs) === before) return waitUs;
    }
  };
  return (bytes) => {
    const forBytes = bytesPerS === undefined ? 0n : pay(0, bytes / bytesPerS);
    const operations = Math.max(1, Math.ceil(bytes / operationBytes));
    const forOperations = operationsPerS === undefined ? 0n : pay(1, operations / operationsPerS);
    const waitUs = Math.max(Number(forBytes), Number(forOperations));
    if (waitUs > 0) waiting.sleep(waitUs / 1000);
  };
}

/** Sleeping threads can still be ended. */
function ofThisThread(): Waiting {
  const never = new Int32Array(new SharedArrayBuffer(4));
  return {
    nowUs: () => process.hrtime.bigint() / 1000n,
    sleep: (ms) => void Atomics.wait(never, 0, 0, ms),
  };
}
