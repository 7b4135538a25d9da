/**
 * Finds what server-side apply can't express: two entries of a list under the same key, which a create allows (an env
 * variable given twice, two volume mounts at one path). Such an object is created and patched instead. Pure.
 */
import { type Fields, fieldsOf, isFields, itemsOf } from '../fields.ts';

/** Lists that the API server merges by key, by the field's name. */
const keysOfLists: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  env: ['name'],
  ephemeralContainers: ['name'],
  hostAliases: ['ip'],
  imagePullSecrets: ['name'],
  initContainers: ['name'],
  resourceClaims: ['name'],
  topologySpreadConstraints: ['topologyKey', 'whenUnsatisfiable'],
  volumeDevices: ['devicePath'],
  volumeMounts: ['mountPath'],
  volumes: ['name'],
  webhooks: ['name'],
};

/** The first list with a repeated key, e.g. `spec.template.spec.containers[0].env: name=TZ twice`; `undefined` when apply will do. */
export function findDuplicateKey(value: unknown, path = ''): string | undefined {
  if (Array.isArray(value)) return firstOf(value, (item, index) => findDuplicateKey(item, `${path}[${index}]`));
  if (!isFields(value)) return undefined;
  return firstOf(Object.entries(value), ([name, child]) => {
    const here = path === '' ? name : `${path}.${name}`;
    const keys = name === 'ports' ? portKeys(child) : keysOfLists[name];
    return (keys === undefined ? undefined : repeatedIn(child, keys, here)) ?? findDuplicateKey(child, here);
  });
}

/** A Service's ports are keyed by port, a container's by containerPort; other kinds' lists of that name aren't keyed. */
function portKeys(list: unknown): readonly string[] | undefined {
  const [first] = itemsOf(list).map(fieldsOf);
  if (first === undefined) return undefined;
  if ('containerPort' in first) return ['containerPort', 'protocol'];
  return 'targetPort' in first || 'nodePort' in first ? ['port', 'protocol'] : undefined;
}

function repeatedIn(list: unknown, keys: readonly string[], path: string): string | undefined {
  const seen = new Set<string>();
  for (const item of itemsOf(list)) {
    const key = keys.map((name) => `${name}=${keyText(fieldsOf(item), name)}`).join(',');
    if (seen.has(key)) return `${path}: ${key} twice`;
    seen.add(key);
  }
  return undefined;
}

const keyText = (item: Fields, name: string): string => String(item[name] ?? (name === 'protocol' ? 'TCP' : ''));

function firstOf<T>(items: readonly T[], find: (item: T, index: number) => string | undefined): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = find(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}
