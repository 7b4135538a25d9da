/** Refusals of exec that don't come as a metav1.Status. */
import { StorkError } from '../errors.ts';

export const execTimedOut = (about: string, timeoutMs: number) =>
  new StorkError({
    code: 'ExecTimedOut',
    message: `The command did not end within ${timeoutMs} ms.`,
    about,
    hint: 'It may still be running in the container.',
    retryable: true,
  });
