/** The data that benchmarks of volumes copy, and how one per cent of each changes. `scale` 1 is about 1 GB of each kind. */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { chanceBytes, seededChance } from '../../agent/mover/testing/test-volumes.ts';

export interface DataSet {
  readonly name: string;
  fill(root: string, scale: number): void;
  changeOnePercent(root: string, scale: number): void;
}

const mb = 1024 * 1024;
const page = 16 * 1024;
const megabytes = (scale: number) => Math.ceil(1024 * scale);
const smallFiles = (scale: number) => Math.ceil(100_000 * scale);

/** Text-like: compresses about 3 : 1, as databases do. */
function halfRandom(chance: () => number, length: number): Buffer {
  const bytes = chanceBytes(chance, length);
  for (let at = 0; at < length; at += 48) bytes.fill(32, at, Math.min(length, at + 32));
  return bytes;
}

function writeSmall(root: string, at: number, chance: () => number): void {
  writeFileSync(`${root}/d${Math.floor(at / 200)}/f${at}`, halfRandom(chance, Math.floor(chance() * 20_000)));
}

export const dataSets: readonly DataSet[] = [
  {
    name: '1 MB files',
    fill(root, scale) {
      const chance = seededChance(1);
      for (let at = 0; at < megabytes(scale); at++) writeFileSync(`${root}/f${at}`, halfRandom(chance, mb));
    },
    changeOnePercent(root, scale) {
      const chance = seededChance(11);
      for (let at = 0; at < megabytes(scale); at += 100) writeFileSync(`${root}/f${at}`, halfRandom(chance, mb));
    },
  },
  {
    name: 'small files',
    fill(root, scale) {
      const chance = seededChance(2);
      for (let at = 0; at < smallFiles(scale); at++) {
        if (at % 200 === 0) mkdirSync(`${root}/d${at / 200}`);
        writeSmall(root, at, chance);
      }
    },
    changeOnePercent(root, scale) {
      const chance = seededChance(12);
      for (let at = 0; at < smallFiles(scale); at += 100) writeSmall(root, at, chance);
    },
  },
  {
    name: 'one database file',
    fill(root, scale) {
      const chance = seededChance(3);
      const fd = openSync(`${root}/table`, 'w');
      for (let at = 0; at < megabytes(scale); at++) writeSync(fd, halfRandom(chance, mb));
      closeSync(fd);
    },
    changeOnePercent(root, scale) {
      const chance = seededChance(13);
      const pages = (megabytes(scale) * mb) / page;
      const fd = openSync(`${root}/table`, 'r+');
      for (let changed = 0; changed < pages / 100; changed++)
        writeSync(fd, halfRandom(chance, page), 0, page, Math.floor(chance() * pages) * page);
      closeSync(fd);
    },
  },
];
