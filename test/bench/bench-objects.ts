/** What the benchmarks of applying write: 70 % ConfigMaps, 20 % Secrets, 10 % Deployments. */
import { deployment } from '../../agent/resources/testing/sample-objects.ts';
import type { AnyObject } from '../../kube/client/client.ts';

const encoded = (data: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')]));

export function benchObject(namespace: string, index: number): AnyObject {
  const metadata = { name: `object-${index}`, namespace, labels: { app: `app-${index % 100}` }, uid: `uid-${index}` };
  if (index % 10 === 0)
    return { ...deployment(namespace, { replicas: 2, env: [{ name: 'A', value: 'b' }] }), metadata };
  const data = Object.fromEntries(
    Array.from({ length: 8 }, (_, key) => [`key-${key}`, `value ${index} ${key}`.repeat(6)]),
  );
  if (index % 10 > 7) return { apiVersion: 'v1', kind: 'Secret', metadata, data: encoded(data) };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
}
