/**
 * tidy: import-arrows because the test bed alone knows which programs its clusters need.
 * `npm run setup`: brings what a fresh Debian or Ubuntu lacks for the tests and the demo: packages through apt (as root),
 * a Go that is new enough, and the programs of the test bed's clusters (from KUBEBUILDER_ASSETS, PATH or Go modules). Prints
 * what it does and how long it took; what can't be had is named together with what that disables. Under a second when
 * nothing is missing. Exits 1 when something essential is.
 */
import { renderError } from '../kube/errors.ts';
import { allBinaries, ensureBinaries, storeBinaries } from '../test/testbed/binaries.ts';
import { ensureGo } from './setup/ensure-go.ts';
import { ensurePackages } from './setup/ensure-packages.ts';
import { type Lack, renderLack } from './setup/lack.ts';

type Say = (line: string) => void;

async function setup(say: Say): Promise<readonly Lack[]> {
  return [...(await ensurePackages(say)), ...(await ensurePrograms(say))];
}

async function ensurePrograms(say: Say): Promise<readonly Lack[]> {
  try {
    await ensureGo(say);
    await ensureBinaries([...allBinaries, ...storeBinaries], say);
    return [];
  } catch (error) {
    const what = `programs of the clusters (${renderError(error)})`;
    return [{ what, disables: 'conformance test, end-to-end test, npm run demo or npm run testbed', essential: true }];
  }
}

const startedMs = performance.now();
const say: Say = (line) => void process.stderr.write(`setup: ${line}\n`);
const lacks = await setup(say);
for (const lack of lacks) say(renderLack(lack));
const isReady = !lacks.some(({ essential }) => essential);
say(`${isReady ? 'ready' : 'incomplete'} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
process.exitCode = isReady ? 0 : 1;
