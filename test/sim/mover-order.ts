/** Reads a mover's orders from its pod, as the program itself does from its command line. */
import { parseArgs } from 'node:util';
import type { Pod } from '../../kube/client/core.ts';
import type { MoverOrder } from './mover.ts';

export const claimsOf = (pod: Pod): readonly string[] =>
  (pod.spec?.volumes ?? []).flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);

/** What its arguments tell a mover; `undefined` for other pods. */
export function orderOf(pod: Pod): MoverOrder | undefined {
  const container = pod.spec?.containers[0];
  if (container?.args?.[0] !== 'mover') return undefined;
  const { values } = parseArgs({
    args: container.args.slice(1),
    options: {
      run: { type: 'string', default: '' },
      role: { type: 'string' },
      mode: { type: 'string' },
      agent: { type: 'string' },
      volume: { type: 'string', multiple: true, default: [] },
      'expect-digest': { type: 'string', multiple: true, default: [] },
      overwrite: { type: 'boolean' },
      redo: { type: 'boolean' },
      staging: { type: 'string' },
      'staging-limit': { type: 'string' },
    },
    strict: false,
  });
  const list = (name: 'volume' | 'expect-digest') => [values[name] ?? []].flat().map(String);
  const digests = new Map(list('expect-digest').map((text) => splitOnce(text)));
  const mounts = new Map(container.volumeMounts?.map(({ mountPath, name }) => [mountPath, name]));
  const claims = new Map(
    pod.spec?.volumes?.map(({ name, persistentVolumeClaim }) => [name, persistentVolumeClaim?.claimName ?? '']),
  );
  return {
    run: String(values.run),
    role: values.role === 'source' ? 'source' : 'destination',
    mode: values.mode === 'update' ? 'update' : 'fresh',
    existing: existingOf(values),
    volumes: list('volume').map((text) => {
      const [name, path] = splitOnce(text);
      return { name, claim: claims.get(mounts.get(path) ?? '') ?? '', expectDigest: digests.get(name) };
    }),
  };
}

function splitOnce(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

function existingOf(values: { readonly overwrite?: unknown; readonly redo?: unknown }): MoverOrder['existing'] {
  if (values.overwrite === true) return 'Overwrite';
  return values.redo === true ? 'Redo' : 'Refuse';
}
