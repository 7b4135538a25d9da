/** crds/manifests/*.yaml from crds/v1alpha1. */
import { stringify } from 'yaml';
import { renderCrd } from '../../crds/schema/index.ts';
import { allKinds } from '../../crds/v1alpha1/index.ts';
import type { Generator } from '../generate.ts';

const folder = 'crds/manifests';

export function generateCrds(): Generator {
  return {
    name: 'crds',
    owns: { folder, ending: '.yaml' },
    generate: () =>
      new Map(
        allKinds.map((kind) => [
          `${folder}/${kind.plural}.yaml`,
          `# Made by npm run generate from crds/v1alpha1.\n${stringify(renderCrd(kind), { lineWidth: 0, aliasDuplicateObjects: false })}`,
        ]),
      ),
  };
}
