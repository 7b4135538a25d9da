/**
 * What a stage says when it has run: where to go, how long to wait, or how it ended. A stage never writes status, emits an
 * event or sleeps; it returns one of these and the runner (run-machine.ts) carries it out.
 */

/** Fields of the status to change: each named field is replaced as a whole, `undefined` removes it, others stay. */
export type StatusPatch<Status> = { readonly [Field in keyof Status]?: Status[Field] | undefined };

export type Outcome<Stage extends string, Status> =
  /** This stage is done. The next one runs at once, after the status is written. */
  | { readonly do: 'advance'; readonly to: Stage; readonly patch?: StatusPatch<Status> | undefined }
  /** Not yet. The same stage runs again after `seconds`, or earlier when something it watches changes. 0 = at once. */
  | {
      readonly do: 'wait';
      readonly seconds: number;
      readonly reason: string;
      readonly message: string;
      readonly patch?: StatusPatch<Status> | undefined;
    }
  /** It cannot be done, and trying again won't help. Leads to the stage's `onFail`. */
  | {
      readonly do: 'fail';
      readonly reason: string;
      readonly message: string;
      readonly patch?: StatusPatch<Status> | undefined;
    }
  /** The whole operation has ended. `reason` says how, e.g. `Successful`, `PartialSuccess`. */
  | {
      readonly do: 'finish';
      readonly reason: string;
      readonly message: string;
      readonly patch?: StatusPatch<Status> | undefined;
    };

export function advance<Stage extends string, Status>(to: Stage, patch?: StatusPatch<Status>): Outcome<Stage, Status> {
  return { do: 'advance', to, patch };
}

/** `reason` is CamelCase and stable (it becomes the condition's reason), `message` one sentence for a person. */
export function wait<Status>(
  seconds: number,
  reason: string,
  message = '',
  patch?: StatusPatch<Status>,
): Outcome<never, Status> {
  return { do: 'wait', seconds, reason, message, patch };
}

export function fail<Status>(reason: string, message: string, patch?: StatusPatch<Status>): Outcome<never, Status> {
  return { do: 'fail', reason, message, patch };
}

export function finish<Status>(reason: string, message = '', patch?: StatusPatch<Status>): Outcome<never, Status> {
  return { do: 'finish', reason, message, patch };
}
