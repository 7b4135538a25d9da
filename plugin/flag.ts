/**
 * A flag as a value: what it is called for people, how its text becomes a typed value, how the shell may complete it.
 * `--kebab-case` names; Stork's camelCase spelling of the same words is accepted everywhere (parse-command-line.ts).
 */
import { StorkError } from '../kube/errors.ts';

export interface FlagBase {
  readonly describes: string;
  /** One letter. */
  readonly short?: string;
  /** What stands for the value in help, in capitals. */
  readonly value?: string;
  /** The value of a flag given without one (`--dry-run`); such a flag takes a value only by `=`. */
  readonly bare?: string;
  readonly completes?: Completes;
  /** Understood, but in no help and no completion. */
  readonly hidden?: 'Yes';
}

/** What a word can be completed to: fixed words, or names that exist in the cluster. */
export type Completes =
  | readonly string[]
  | 'Namespaces'
  | 'ClusterPairs'
  | 'Migrations'
  | 'Rules'
  | 'ResourceTransformations'
  | 'Contexts';

export interface Flag<T> extends FlagBase {
  readonly kind: 'value' | 'switch';
  /** As help shows it. */
  readonly default: string | undefined;
  /** The texts given, in order (a switch gives `true` or `false`). @throws StorkError `BadFlag` */
  readonly read: (given: readonly string[], name: string) => T;
}

export type FlagSet = Readonly<Record<string, Flag<unknown>>>;
export type ValuesOf<F extends FlagSet> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

export function text(options: FlagBase & { readonly default: string }): Flag<string>;
export function text(options: FlagBase): Flag<string | undefined>;
export function text(options: FlagBase & { readonly default?: string }): Flag<string | undefined> {
  return { ...options, kind: 'value', default: options.default, read: (given) => given.at(-1) ?? options.default };
}

export function choice<const V extends string>(
  values: readonly V[],
  options: FlagBase & { readonly default: NoInfer<V> },
): Flag<V> {
  const read = (given: readonly string[], name: string): V => {
    const last = given.at(-1) ?? options.default;
    const known = values.find((value) => value === last);
    if (known === undefined) throw badFlag(name, last, `must be ${values.join(', ')}`);
    return known;
  };
  return { completes: values, ...options, kind: 'value', default: options.default, read };
}

/** May be repeated, and each may hold several with commas between. */
export function texts(options: FlagBase): Flag<readonly string[]> {
  const read = (given: readonly string[]) => given.flatMap((one) => one.split(',')).filter((one) => one !== '');
  return { ...options, kind: 'value', default: undefined, read };
}

/** `key=value` pairs, repeated or with commas between. */
export function pairs(options: FlagBase): Flag<Readonly<Record<string, string>>> {
  const read = (given: readonly string[], name: string) => {
    const items = given.flatMap((one) => one.split(',')).filter((one) => one !== '');
    return Object.fromEntries(
      items.map((item) => {
        const at = item.indexOf('=');
        if (at < 1) throw badFlag(name, item, 'must be KEY=VALUE');
        return [item.slice(0, at), item.slice(at + 1)] as const;
      }),
    );
  };
  return { ...options, kind: 'value', default: undefined, read };
}

export function toggle(options: FlagBase & { readonly default?: boolean }): Flag<boolean> {
  const byDefault = options.default ?? false;
  const read = (given: readonly string[], name: string) => {
    const last = given.at(-1);
    if (last === undefined) return byDefault;
    if (last === 'true' || last === 'false') return last === 'true';
    throw badFlag(name, last, 'must be true or false');
  };
  return { ...options, kind: 'switch', default: byDefault ? 'true' : undefined, read };
}

export function wholeNumber(options: FlagBase & { readonly default: number }): Flag<number> {
  const read = (given: readonly string[], name: string) => {
    const last = given.at(-1) ?? String(options.default);
    if (!/^\d{1,15}$/.test(last)) throw badFlag(name, last, 'must be a whole number');
    return Number(last);
  };
  return { ...options, kind: 'value', default: String(options.default), read };
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** As kubectl writes durations: `90s`, `5m`, `1h30m`; `0` is no limit. The value is in milliseconds. */
export function duration(options: FlagBase & { readonly default: string }): Flag<number> {
  const read = (given: readonly string[], name: string) => {
    const last = given.at(-1) ?? options.default;
    if (last === '0') return 0;
    if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(last))
      throw badFlag(name, last, 'must be a duration such as 90s, 5m or 1h30m');
    const parts = [...last.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? 's'] ?? 0), 0);
  };
  return { ...options, kind: 'value', default: options.default, read };
}

function badFlag(name: string, given: string, expected: string): StorkError {
  return new StorkError({ code: 'BadFlag', message: `invalid argument "${given}" for "--${name}": ${expected}` });
}
