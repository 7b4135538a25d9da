/** The images that the applications need on the destination, by digest where a pod that runs here tells it. */
import type { AnyObject, KubeClient } from '../../../../kube/client/client.ts';
import { core } from '../../../../kube/client/core.ts';
import { fieldsOf, itemsOf, textOf } from '../../../resources/fields.ts';
import { podSpecOf } from '../../../resources/pod-spec.ts';

export async function findImages(
  client: KubeClient,
  of: { readonly objects: readonly AnyObject[]; readonly namespaces: readonly string[] },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const wanted = new Set(of.objects.flatMap(imagesOf));
  if (wanted.size === 0) return [];
  const digests = new Map<string, string>();
  for (const namespace of of.namespaces) {
    for await (const pod of client.list(core.pods, { namespace, signal })) {
      const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
      for (const { image, imageID } of [...containerStatuses, ...initContainerStatuses]) {
        const digest = /sha256:[0-9a-f]{64}$/.exec(imageID ?? '')?.[0];
        if (digest !== undefined) digests.set(nameOf(image ?? ''), digest);
      }
    }
  }
  return [...wanted].toSorted().map((image) => describeImage(image, digests.get(nameOf(image))));
}

function describeImage(image: string, digest: string | undefined): string {
  if (image.includes('@')) return image;
  return digest === undefined ? `${image} (no running pod tells its digest)` : `${image} is ${digest} here`;
}

function imagesOf(object: AnyObject): readonly string[] {
  const spec = podSpecOf(object);
  const containers = [...itemsOf(spec?.initContainers), ...itemsOf(spec?.containers)];
  return containers.map((container) => textOf(fieldsOf(container).image)).filter((image) => image !== undefined);
}

/** As container runtimes complete a name: `db` runs as `docker.io/library/db:latest`. */
function nameOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const full = hasRegistry ? image : `docker.io/${rest.length === 0 ? 'library/' : ''}${image}`;
  return /:[^/]*$/.test(full) ? full : `${full}:latest`;
}
