/**
 * Generated data like D1, D2 and D3 of the measurements that the targets come from: a mixed tree, one database file, many small
 * files. `scale` 1 is their size. The same bytes for the same scale, on every machine.
 */
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { chanceBytes, seededChance } from '../../agent/mover/testing/test-volumes.ts';

export interface RepositorySet {
  readonly name: string;
  readonly what: string;
  fill(root: string, scale: number): void;
  changeOnePercent(root: string, scale: number): void;
}

type Chance = () => number;
const kb = 1024;
const mb = 1024 * kb;
const count = (most: number, scale: number) => Math.max(1, Math.round(most * scale));

/** Words of a made-up language, frequent ones more often: compresses about 3 : 1, as source code and logs do. */
function wordSource(seed: number): (length: number) => Buffer {
  const chance = seededChance(seed);
  const words = Array.from({ length: 6000 }, () =>
    Buffer.from(Array.from({ length: 2 + Math.floor(chance() * 9) }, () => 97 + Math.floor(chance() * 26)).concat(32)),
  );
  return (length) => {
    const text = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; ) {
      const word = words[Math.floor(chance() ** 3 * words.length)] ?? Buffer.from(' ');
      at += word.copy(text, at);
    }
    return text;
  };
}

/** Median `median`, a long tail. */
function lognormal(chance: Chance, median: number, spread: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
  return Math.ceil(median * Math.exp(spread * normal));
}

/** So many pieces of a mebibyte. */
export function writeLarge(file: string, megabytes: number, piece: (length: number) => Buffer): void {
  const fd = openSync(file, 'w');
  for (let at = 0; at < megabytes; at++) writeSync(fd, piece(mb));
  closeSync(fd);
}

const mixed: RepositorySet = {
  name: 'D1',
  what: 'mixed tree: 68,000 files, 4,300 links, a few large ones',
  fill(root, scale) {
    const chance = seededChance(1);
    const words = wordSource(2);
    const program = (length: number) => Buffer.concat([words(length / 2), chanceBytes(chance, length / 2)]);
    for (let at = 0; at < count(68_000, scale); at++) {
      const folder = `${root}/p${Math.floor(at / 400)}/d${Math.floor(at / 40) % 10}`;
      if (at % 40 === 0) mkdirSync(folder, { recursive: true });
      writeFileSync(`${folder}/f${at}`, words(Math.min(4 * mb, lognormal(chance, 5 * kb, 1.5))));
      if (at % 16 === 0) symlinkSync(`f${at}`, `${folder}/l${at}`);
    }
    for (const name of ['one', 'two', 'three']) writeLarge(`${root}/program-${name}`, count(110, scale), program);
    writeLarge(`${root}/random`, count(128, scale), (length) => chanceBytes(chance, length));
    writeLarge(`${root}/log`, count(600, scale), words);
  },
  changeOnePercent(root, scale) {
    const words = wordSource(12);
    for (let at = 0; at < count(68_000, scale); at += 100)
      writeFileSync(`${root}/p${Math.floor(at / 400)}/d${Math.floor(at / 40) % 10}/f${at}`, words(6 * kb));
    appendFileSync(`${root}/log`, words(count(6, scale) * mb));
  },
};

const page = 16 * kb;
const pages = (scale: number) => count(64 * 1024, scale);
/** A page is half padding, as those of databases are. */
const pageOf = (words: (length: number) => Buffer, chance: Chance) =>
  Buffer.concat([words(6 * kb), chanceBytes(chance, 2 * kb), Buffer.alloc(8 * kb)]);

const database: RepositorySet = {
  name: 'D2',
  what: 'one database file of 1 GiB, pages of 16 KiB, a fifth of them holes',
  fill(root, scale) {
    const [chance, words] = [seededChance(3), wordSource(4)];
    const fd = openSync(`${root}/table`, 'w');
    ftruncateSync(fd, pages(scale) * page);
    for (let at = 0; at < pages(scale); at++)
      if (at % 80 < 64) writeSync(fd, pageOf(words, chance), 0, undefined, at * page);
    closeSync(fd);
  },
  changeOnePercent(root, scale) {
    const [chance, words] = [seededChance(13), wordSource(14)];
    const fd = openSync(`${root}/table`, 'r+');
    for (let changed = 0; changed < pages(scale) / 100; changed++) {
      const at = Math.floor(chance() * pages(scale)) * page;
      writeSync(fd, pageOf(words, chance).subarray(0, 8000), 0, undefined, at);
    }
    closeSync(fd);
  },
};

const small = (scale: number) => count(200_000, scale);
const smallFile = (root: string, at: number) => `${root}/d${Math.floor(at / 200)}/f${at}`;

const manySmall: RepositorySet = {
  name: 'D3',
  what: '200,000 small files in 1,000 directories',
  fill(root, scale) {
    const [chance, words] = [seededChance(5), wordSource(6)];
    for (let at = 0; at < small(scale); at++) {
      if (at % 200 === 0) mkdirSync(`${root}/d${at / 200}`);
      const length = Math.min(mb, lognormal(chance, 2 * kb, 1.1));
      writeFileSync(smallFile(root, at), chance() < 0.1 ? chanceBytes(chance, length) : words(length));
    }
  },
  changeOnePercent(root, scale) {
    const words = wordSource(16);
    for (let at = 0; at < small(scale); at += 100) appendFileSync(smallFile(root, at), words(200));
  },
};

export const repositorySets: readonly RepositorySet[] = [mixed, database, manySmall];
