/**
 * How the parts of an object merge: which lists are sets or maps with keys, which maps are replaced as a whole.
 * Built-in kinds by a table of the lists that matter to us, custom kinds by their schema's `x-kubernetes-*`.
 */
import { fieldsOf, isFields, itemsOf } from './json-value.ts';

export type ListMerge = 'atomic' | 'set' | { readonly keys: readonly string[] };

export interface Shape {
  readonly list: ListMerge;
  readonly map: 'granular' | 'atomic';
  /** Values of list keys that are absent, e.g. a port's protocol. */
  readonly keyDefaults: Readonly<Record<string, unknown>>;
  field(name: string): Shape;
  item(): Shape;
}

const byName: ListMerge = { keys: ['name'] };

/** By `parent.field`, then by `field` alone. */
const builtInLists: Readonly<Record<string, ListMerge>> = {
  containers: byName,
  initContainers: byName,
  ephemeralContainers: byName,
  'spec.volumes': byName,
  volumeMounts: { keys: ['mountPath'] },
  volumeDevices: { keys: ['devicePath'] },
  env: byName,
  'containers.ports': { keys: ['containerPort', 'protocol'] },
  'initContainers.ports': { keys: ['containerPort', 'protocol'] },
  'spec.ports': { keys: ['port', 'protocol'] },
  imagePullSecrets: byName,
  secrets: byName,
  webhooks: byName,
  hostAliases: { keys: ['ip'] },
  topologySpreadConstraints: { keys: ['topologyKey', 'whenUnsatisfiable'] },
  resourceClaims: byName,
  ownerReferences: { keys: ['uid'] },
  finalizers: 'set',
  conditions: { keys: ['type'] },
  'status.addresses': { keys: ['type'] },
  'spec.podCIDRs': 'set',
  'metadata.managedFields': 'atomic',
};

const builtInAtomicMaps: ReadonlySet<string> = new Set([
  'selector',
  'nodeSelector',
  'labelSelector',
  'podSelector',
  'namespaceSelector',
  'configMapKeyRef',
  'secretKeyRef',
  'fieldRef',
  'resourceFieldRef',
  'dataSource',
  'roleRef',
  'scaleTargetRef',
]);

const keyDefaults = { protocol: 'TCP' };

export function builtInShape(parent = '', name = ''): Shape {
  return {
    list: builtInLists[`${parent}.${name}`] ?? builtInLists[name] ?? 'atomic',
    map: builtInAtomicMaps.has(name) ? 'atomic' : 'granular',
    keyDefaults,
    field: (child) => builtInShape(name, child),
    item: () => builtInShape(parent, name),
  };
}

/** The shape a structural schema asks for; `metadata` is the built-in one everywhere. */
export function schemaShape(schema: unknown): Shape {
  const node = fieldsOf(schema);
  return {
    list: listOf(node),
    map: node['x-kubernetes-map-type'] === 'atomic' ? 'atomic' : 'granular',
    keyDefaults: defaultsOfItems(node),
    field: (name) => {
      const properties = fieldsOf(node.properties);
      return schemaShape(properties[name] ?? node.additionalProperties);
    },
    item: () => schemaShape(node.items),
  };
}

/** A whole custom object: its schema, with the metadata every object has. */
export function customShape(schema: unknown): Shape {
  const shape = schemaShape(schema);
  return { ...shape, field: (name) => (name === 'metadata' ? builtInShape('', 'metadata') : shape.field(name)) };
}

function listOf(node: Readonly<Record<string, unknown>>): ListMerge {
  const type = node['x-kubernetes-list-type'];
  if (type === 'set') return 'set';
  if (type !== 'map') return 'atomic';
  return { keys: itemsOf(node['x-kubernetes-list-map-keys']).map(String) };
}

function defaultsOfItems(node: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(fieldsOf(fieldsOf(node.items).properties))) {
    if (isFields(property) && property.default !== undefined) found[name] = property.default;
  }
  return found;
}
