/**
 * One end of the least that a changed sync must do, in a bare program: `small PATH BEFORE AFTER` walks a tree so many times, `database PATH
 * BEFORE AFTER` reads a file and passes it through one GMAC so many times; what is to be done after the other end's part begins when stdin ends.
 */
import { createCipheriv } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { text } from 'node:stream/consumers';

const segmentBytes = 4 * 1024 * 1024;
const pieceBytes = 256 * 1024;

function walk(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = `${directory}/${name}`;
    if (lstatSync(path).isDirectory()) walk(path);
  }
}

function hashFile(path: string): void {
  const piece = Buffer.allocUnsafe(pieceBytes);
  const fd = openSync(path, 'r');
  for (let at = 0, got = 1; got > 0; ) {
    const sum = createCipheriv('aes-128-gcm', Buffer.alloc(16, 1), Buffer.alloc(12));
    for (const end = at + segmentBytes; at < end && got > 0; at += got) {
      got = readSync(fd, piece, 0, piece.length, at);
      sum.setAAD(piece.subarray(0, got));
    }
    sum.final();
  }
  closeSync(fd);
}

const [what, path = '', before, after] = process.argv.slice(2);
const work = what === 'small' ? walk : hashFile;
for (let times = Number(before); times > 0; times--) work(path);
if (Number(after) > 0) await text(process.stdin);
for (let times = Number(after); times > 0; times--) work(path);
