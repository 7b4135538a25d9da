/** ResourceTransformations: Stork's tool has no table for them; ours names the kinds, and what the check found. */
import { type ResourceTransformation, resourceTransformations } from '../../../crds/v1alpha1/index.ts';
import { formatTime } from '../format-time.ts';
import type { ObjectView } from '../object-view.ts';

export const resourceTransformationView: ObjectView<ResourceTransformation> = {
  kind: resourceTransformations,
  words: ['resourcetransformation', 'resourcetransformations', 'rt'],
  title: 'Resource transformation',
  completes: 'ResourceTransformations',
  columns: [
    { name: 'STATUS', cell: ({ status }) => status?.status ?? '' },
    { name: 'RESOURCES', cell: ({ specs }) => specs.transformSpecs.map(({ resource }) => resource).join(' ') },
    { name: 'CREATED', cell: ({ metadata }) => formatTime(metadata.creationTimestamp) },
    { name: 'MESSAGE', cell: messageOf, wide: 'Yes' },
  ],
};

function messageOf({ status }: ResourceTransformation): string {
  return status?.conditions?.find(({ type }) => type === 'Succeeded')?.message ?? '';
}
