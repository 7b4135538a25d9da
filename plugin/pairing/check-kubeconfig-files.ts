/** The two kubeconfigs of `create clusterpair`, checked before anything is done with them. */
import { readFile } from 'node:fs/promises';
import { StorkError } from '../../kube/errors.ts';

export interface KubeconfigFiles {
  readonly source: string;
  readonly destination: string;
}

/** @throws StorkError `BadUsage` for a missing parameter or the same file twice, `BadFile` for one that can't be read */
export async function checkKubeconfigFiles(
  source: string | undefined,
  destination: string | undefined,
): Promise<KubeconfigFiles> {
  if (source === undefined) throw missing('src-kube-file', 'source');
  if (destination === undefined) throw missing('dest-kube-file', 'destination');
  if (source === destination || (await readText(source)) === (await readText(destination)))
    throw new StorkError({
      code: 'BadUsage',
      message: 'source kubeconfig file and destination kubeconfig file should be different',
    });
  return { source, destination };
}

function missing(flag: string, cluster: string): StorkError {
  return new StorkError({
    code: 'BadUsage',
    message: `missing parameter "${flag}" - Kubeconfig file missing for ${cluster} cluster`,
    hint: '  For two contexts of one kubeconfig: kubectl stork pair create CONTEXT CONTEXT',
  });
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new StorkError({ code: 'BadFile', message: `can't read ${file}`, cause });
  }
}
