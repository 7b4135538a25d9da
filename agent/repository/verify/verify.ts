/**
 * Checks a repository: always every index, every restore point, every tree, and each pack's presence and size; on demand the bytes of
 * some packs or of all. Names each damaged object and the files that it takes with it. Changes nothing, needs no lock: what the
 * collector replaces meanwhile is looked at again.
 */
import { blobLocations } from '../blob-locations.ts';
import type { BlobType, PackedBlob } from '../format/pack.ts';
import { packName, type Repository } from '../repository.ts';
import { blobSet } from './blob-set.ts';
import { checkCare } from './check-care.ts';
import { checkLedger } from './check-ledger.ts';
import { choosePacks } from './choose-packs.ts';
import type { AffectedFile, AffectedFiles, Finding, VerifyCounts, VerifyReport } from './finding.ts';
import { locateFiles } from './locate-files.ts';
import { isMissing } from './read-document.ts';
import { readIndexObjects } from './read-index.ts';
import { type Inventory, readInventory } from './read-inventory.ts';
import { readPack } from './read-packs.ts';
import { readRoots, treesOf } from './read-roots.ts';
import { walkTrees } from './walk-trees.ts';

export type VerifyDepth =
  | { readonly read: 'structure' }
  /** The same packs for the same seed. */
  | { readonly read: 'sample'; readonly percent: number; readonly seed: string }
  | { readonly read: 'everything' }
  | { readonly read: 'these'; readonly packs: ReadonlySet<string> };

export interface VerifyOptions {
  readonly repository: Repository;
  readonly depth: VerifyDepth;
  readonly signal?: AbortSignal | undefined;
  /** Told of every file that is affected: the report has only the first of very many. */
  readonly affectedTo?: AffectedTo | undefined;
  readonly onProgress?: ((progress: { readonly packsRead: number; readonly packsToRead: number }) => void) | undefined;
}

export interface AffectedTo {
  /** What was told before does not count: the repository changed, and is looked at again. */
  begin(): void;
  add(file: AffectedFile): void;
}

/** How often a repository that changes meanwhile is looked at again. */
const maxAttempts = 4;

export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  let { depth } = options;
  let earlier = { packsRead: 0, bytesRead: 0 };
  for (let attempt = 1; ; attempt++) {
    const before = await listNames(options);
    const report = await verifyOnce({ ...options, depth }).catch((error: unknown) => {
      if (!isMissing(error) || attempt === maxAttempts) throw error;
      return undefined;
    });
    if (report === undefined) continue;
    const checked = {
      ...report.checked,
      packsRead: report.checked.packsRead + earlier.packsRead,
      bytesRead: report.checked.bytesRead + earlier.bytesRead,
    };
    const isSettled = report.damage.length === 0 || before === (await listNames(options));
    if (isSettled || attempt === maxAttempts) return { ...report, checked };
    // The collector worked meanwhile. What was read and found whole need not be read again.
    earlier = checked;
    depth = { read: 'these', packs: new Set(report.damage.map(({ object }) => object.slice(-64))) };
  }
}

async function listNames({ repository, signal }: VerifyOptions): Promise<string> {
  const names: string[] = [];
  for (const prefix of ['index/', 'snapshots/'])
    for await (const { name } of repository.store.list(prefix, signal)) names.push(name);
  return names.sort().join('\n');
}

async function verifyOnce(options: VerifyOptions): Promise<VerifyReport> {
  const { repository, signal } = options;
  const damage: Finding[] = [];
  // Roots first: whatever they need was stored and indexed before they appeared.
  const roots = await readRoots(repository, {
    signal,
    onDamage: (object, { message }) => void damage.push({ object, kind: 'altered', message }),
  });
  const inventory = await readInventory(repository, signal);
  const care = await checkCare(repository, signal);
  const ledger = await checkLedger(repository, roots, signal);
  damage.push(...inventory.damage, ...care.damage, ...ledger.damage);
  const bytes = await readBytes(options, inventory);
  damage.push(...bytes.findings.filter(({ object }) => !damage.some((known) => known.object === object)));
  const locations =
    bytes.lost.size === 0 ? inventory.locations : await locationsWithout(repository, bytes.lost, signal);
  const seen = blobSet();
  const lostTrees: Finding[] = [];
  let needsPaths = false;
  await walkTrees({
    repository,
    locations,
    roots: treesOf(roots),
    seen,
    signal,
    visitor: {
      node({ content }) {
        if (!needsPaths) needsPaths = content.some((blob) => locations.find(blob, 'data') === undefined);
      },
      lost(tree, reason) {
        needsPaths = true;
        const pack = locations.find(tree, 'tree')?.pack;
        // A blob that can't be used although an index names it: its pack is damaged, and verify has not read all of it.
        if (pack !== undefined)
          lostTrees.push({ object: packName(pack), kind: 'altered', message: `Tree ${tree}: ${reason}` });
      },
    },
  });
  damage.push(...firstOfEach(lostTrees).filter(({ object }) => !damage.some((known) => known.object === object)));
  const objectsOf = (blob: string, type: BlobType) => bytes.lost.objectsOf(blob, type);
  options.affectedTo?.begin();
  const located: AffectedFiles = needsPaths
    ? await locateFiles({ repository, locations, roots, objectsOf, signal, onAffected: options.affectedTo?.add })
    : { affected: [], affectedCount: 0 };
  const checked: VerifyCounts = {
    restorePoints: roots.snapshots.length + roots.manifests.length,
    indexes: inventory.indexes,
    packs: inventory.stored.size,
    blobs: locations.size,
    trees: seen.size,
    packsRead: bytes.packsRead,
    bytesRead: bytes.bytesRead,
  };
  damage.push(...(await findMissingIndexes(options, inventory, located)));
  const notes = [...inventory.notes, ...care.notes, ...ledger.notes];
  return { damage, gone: ledger.gone, notes, ...located, checked };
}

/** When files are affected, whole packs that lie in no index are what an index named that is gone. */
async function findMissingIndexes(
  { repository, signal }: VerifyOptions,
  { notes }: Inventory,
  { affectedCount }: AffectedFiles,
): Promise<readonly Finding[]> {
  if (affectedCount === 0) return [];
  const found: Finding[] = [];
  const message =
    'No index names this pack, and restore points lack blobs: an index is lost. `verify --repair --apply` makes it again';
  for (const note of notes.filter(({ kind }) => kind === 'unindexed')) {
    const reading = await readPack(repository, note.object.slice(-64), undefined, signal);
    if (reading.finding === undefined) found.push({ ...note, message });
  }
  return found;
}

const firstOfEach = (findings: readonly Finding[]): Finding[] => [
  ...new Map(findings.toReversed().map((finding) => [finding.object, finding])).values(),
];

interface LostPlaces {
  readonly size: number;
  has(pack: string, blob: PackedBlob): boolean;
  objectsOf(blob: string, type: BlobType): readonly string[];
}

interface BytesRead {
  readonly findings: readonly Finding[];
  readonly lost: LostPlaces;
  readonly packsRead: number;
  readonly bytesRead: number;
}

/** Reads the chosen packs, and those that are known to be damaged, to learn which of their blobs are left. */
async function readBytes(options: VerifyOptions, inventory: Inventory): Promise<BytesRead> {
  const { repository, signal, onProgress } = options;
  const chosen = new Set([...choose(options.depth, inventory), ...inventory.badPacks]);
  const findings: Finding[] = [];
  const places = new Map<string, string[]>();
  const keyOf = ({ id, type }: Pick<PackedBlob, 'id' | 'type'>) => `${type} ${id}`;
  const [packsToRead, done] = [chosen.size, new Set<string>()];
  let bytesRead = 0;
  if (chosen.size > 0)
    for await (const { packs } of readIndexObjects(repository, { signal, onDamage: () => undefined }))
      for (const { id, blobs } of packs) {
        if (!chosen.has(id) || done.has(id)) continue;
        done.add(id);
        const reading = await readPack(repository, id, blobs, signal);
        bytesRead += reading.bytesRead;
        onProgress?.({ packsRead: done.size, packsToRead });
        if (reading.finding === undefined) continue;
        findings.push(reading.finding);
        const good = new Set(reading.goodBlobs.map(keyOf));
        for (const blob of blobs)
          if (!good.has(keyOf(blob))) places.set(keyOf(blob), [...(places.get(keyOf(blob)) ?? []), packName(id)]);
      }
  const lost: LostPlaces = {
    size: places.size,
    has: (pack, blob) => places.get(keyOf(blob))?.includes(packName(pack)) === true,
    objectsOf: (id, type) => places.get(keyOf({ id, type })) ?? [],
  };
  return { findings, lost, packsRead: done.size, bytesRead };
}

function choose(depth: VerifyDepth, { stored, indexed }: Inventory): Iterable<string> {
  const all = () => [...stored.keys()].filter((pack) => indexed.has(pack));
  switch (depth.read) {
    case 'structure':
      return [];
    case 'sample':
      return choosePacks(all(), depth.percent, depth.seed);
    case 'everything':
      return all();
    case 'these':
      return all().filter((pack) => depth.packs.has(pack));
    default:
      return depth satisfies never;
  }
}

async function locationsWithout(repository: Repository, lost: LostPlaces, signal: AbortSignal | undefined) {
  const locations = blobLocations();
  for await (const { packs } of readIndexObjects(repository, { signal, onDamage: () => undefined }))
    for (const { id, blobs } of packs)
      locations.add(
        id,
        blobs.filter((blob) => !lost.has(id, blob)),
      );
  return locations;
}
