/** Whether this process is fit: alive as long as its event loop turns, ready once it has started. */
export interface Health {
  /** Says that starting is over. */
  ready(): void;
  /** Answers of `/healthz` and `/readyz`. */
  live(): HealthAnswer;
  readiness(): HealthAnswer;
}

export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly text: string;
}

export function createHealth(): Health {
  let started = false;
  return {
    ready() {
      started = true;
    },
    live: () => ({ status: 200, text: 'ok\n' }),
    readiness: () => (started ? { status: 200, text: 'ok\n' } : { status: 503, text: 'starting\n' }),
  };
}
