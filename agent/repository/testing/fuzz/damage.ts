/** For tests: damages good documents by what they are made of, and bytes of any kind. */
import { containersOf, type JsonText, jsonText, raw, writeJson } from './json-text.ts';

/** A whole number below `count`. */
export type Pick = (count: number) => number;

export const oneOf = <One>(pick: Pick, ...choices: readonly [One, ...One[]]): One =>
  choices[pick(choices.length)] ?? choices[0];

const digits = '0123456789abcdef'.repeat(4);
const hostileValues = [
  ...['null', 'true', '{}', '[]', '""', '-1', '-0', '1.5', '1e400', '1e-400', 'NaN', '0x10', '[[]]', '[{}]'],
  ...['2147483648', '4294967295', '4294967296', '1048576', '9007199254740993', '18446744073709551616', '9'.repeat(400)],
  ...[
    '"\\ud800"',
    '"\\u0000"',
    '"../../etc"',
    '".."',
    '"\\\\x"',
    '"\\\\xzz"',
    '"\\\\U00110000"',
    '"\\\\777"',
    '"\\\\ud800"',
  ],
  ...[
    '"0000-00-00T00:00:00Z"',
    '"275760-09-13T00:00:00Z"',
    '"9999-12-31T23:59:59.999999999-23:59"',
    '"2026-02-30T00:00:00Z"',
  ],
  ...[`"${digits}"`, `"${digits.toUpperCase()}"`, `"${digits}0"`, '"\xff\xfe"', '"\xed\xa0\x80"', '"\xc0\x80"', '\xf8'],
  ...['{"is":', '"', '\\', '[', '{"":{"":{"":', '"file"', '"dir"', '"tree"', '"scrypt"'],
];

/** Anything in the place of a value. */
function hostileValue(pick: Pick): JsonText {
  const times = 10 ** (1 + pick(5));
  const made: readonly (() => string)[] = [
    () => hostileValues[pick(hostileValues.length)] ?? '',
    () => hostileValues[pick(hostileValues.length)] ?? '',
    () => `${pick(2 ** 31) * 2 ** pick(40)}`,
    () => '['.repeat(times) + ']'.repeat(times),
    () => '{"a":'.repeat(times),
    () => `"${oneOf(pick, 'a', '\\\\', '\\"', '\\u00e9', '\xc3\xa9').repeat(times)}"`,
    () => `"${Buffer.alloc(1 + pick(300), pick(256)).toString('base64')}"`,
  ];
  return raw((made[pick(made.length)] ?? (() => 'null'))());
}

/** The text of the document with some things wrong in it; now and then it is as good as before. */
export function damageJson(good: unknown, pick: Pick): Buffer {
  const json = jsonText(good);
  for (let changes = 1 + pick(3); changes > 0; changes--) {
    const all = [...containersOf(json)];
    const one = all[pick(all.length)];
    if (one?.is === 'object') damageObject(one.members, pick);
    else if (one?.is === 'list') damageList(one.items, pick);
  }
  const text = Buffer.from(writeJson(json), 'latin1');
  return pick(4) === 0 ? damageBytes(text, pick) : text;
}

function damageObject(members: [string, JsonText][], pick: Pick): void {
  const at = pick(members.length);
  const [key, value] = members[at] ?? ['', raw('1')];
  switch (pick(6)) {
    case 0:
      members.splice(at, 1);
      break;
    case 1:
      members.push([key, hostileValue(pick)]);
      break;
    case 2:
      members.unshift([oneOf(pick, '__proto__', 'constructor', 'toString', '', key), hostileValue(pick)]);
      break;
    case 3:
      members[at] = [key, members[pick(members.length)]?.[1] ?? value];
      break;
    default:
      members[at] = [key, hostileValue(pick)];
  }
}

function damageList(items: JsonText[], pick: Pick): void {
  const at = pick(items.length);
  const item = items[at] ?? raw('{}');
  switch (pick(5)) {
    case 0:
      items.splice(at, 1);
      break;
    case 1:
      items.reverse();
      break;
    case 2:
      repeat(items, item, pick);
      break;
    case 3:
      items.splice(at, 0, hostileValue(pick));
      break;
    default:
      items[at] = hostileValue(pick);
  }
}

/** Up to several MiB, so that the ways for large documents are taken, too. */
function repeat(items: JsonText[], item: JsonText, pick: Pick): void {
  // Each the same text: what is damaged later must not be damaged in all of them.
  const text = writeJson(item);
  const most = oneOf(pick, 2 ** 16, 2 ** 20, 6 * 2 ** 20) / (1 + text.length);
  const times = Math.min(oneOf(pick, 1, 2, 100, 50_000), Math.ceil(most));
  for (let time = 0; time < times; time++) items.push(raw(text));
}

/** Some flips, cuts, repetitions and insertions. */
export function damageBytes(good: Buffer, pick: Pick): Buffer {
  let bytes = Buffer.from(good);
  for (let changes = 1 + pick(3); changes > 0; changes--) {
    const [from, to] = [pick(bytes.length + 1), pick(bytes.length + 1)];
    switch (pick(5)) {
      case 0:
        bytes = bytes.subarray(0, from);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, from), Buffer.alloc(1 + pick(8), pick(256)), bytes.subarray(from)]);
        break;
      default:
        if (from < bytes.length) bytes[from] = oneOf(pick, (bytes[from] ?? 0) ^ (1 << pick(8)), 0, 0xff, pick(256));
    }
  }
  return bytes;
}
