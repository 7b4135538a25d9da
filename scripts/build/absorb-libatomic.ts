/**
 * Makes a Node 26 linux executable start where libatomic.so.1 is missing (slim and distroless images, many hosts).
 *
 * Node imports one function of that library, `__atomic_compare_exchange`, and calls it in eight places, all in V8's
 * pointer tables and all with size 8 (read from the disassembly of 26.10.0; the runtimes are pinned by digest). We put
 * that function for size 8 into the unused end of the code segment, point the import's slot at it, and drop the library
 * from the list of needed ones. Any other size traps at once instead of going on without atomicity.
 * Pure: bytes in, bytes out. Refuses what it does not recognise.
 */
import { StorkError } from '../../kube/errors.ts';

const SYMBOL = '__atomic_compare_exchange';
const LIBRARY = 'libatomic.so.1';

interface Machine {
  readonly jumpSlot: number;
  readonly relative: number;
  /** Position independent code for `bool f(size_t 8, T *at, T *expected, T *desired, int, int)`, from the assembler source above it. */
  readonly code: Buffer;
}

const machines: Readonly<Record<number, Machine>> = {
  // x86-64: cmp rdi,8; jne trap; mov rax,[rdx]; mov rcx,[rcx]; lock cmpxchg [rsi],rcx; je 1f; mov [rdx],rax; 1: sete al; movzx eax,al; ret; trap: ud2
  62: {
    jumpSlot: 7,
    relative: 8,
    code: Buffer.from('4883ff087517488b02488b09f0480fb10e74034889020f94c00fb6c0c30f0b', 'hex'),
  },
  // aarch64: cmp x0,#8; b.ne trap; ldr x4,[x2]; ldr x5,[x3]; 1: ldaxr x6,[x1]; cmp x6,x4; b.ne 2f; stlxr w7,x5,[x1]; cbnz w7,1b;
  // mov w0,#1; ret; 2: clrex; str x6,[x2]; mov w0,#0; ret; trap: brk #0
  183: {
    jumpSlot: 1026,
    relative: 1027,
    code: Buffer.from(
      '1f2000f1c1010054440040f9650040f926fc5fc8df0004eba100005425fc07c887ffff3520008052c0035fd65f3f03d5460000f900008052c0035fd6000020d4',
      'hex',
    ),
  },
};

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PF_X = 1;
const DT = {
  null: 0,
  needed: 1,
  pltRelSize: 2,
  strtab: 5,
  symtab: 6,
  jmprel: 23,
  verneed: 0x6ffffffe,
  verneedNum: 0x6fffffff,
} as const;

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly sizeInFile: number;
  /** Where this segment's program header lies in the file. */
  readonly headerAt: number;
}

interface DynamicEntry {
  readonly tag: number;
  readonly value: number;
  readonly at: number;
}

/** The same executable without the need for libatomic.so.1; a copy of the input when it never needed it. */
export function absorbLibatomic(executable: Buffer): Buffer {
  const elf = Buffer.from(executable);
  if (elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1)
    throw unexpected('not a 64-bit little-endian ELF file');
  const machine = machines[elf.readUInt16LE(18)];
  if (machine === undefined) throw unexpected(`machine ${elf.readUInt16LE(18)} is not known`);
  const segments = readSegments(elf);
  const dynamic = readDynamic(elf, segments);
  const needed = dynamic.find(
    (entry) => entry.tag === DT.needed && nameAt(elf, segments, dynamic, entry.value) === LIBRARY,
  );
  if (needed === undefined) return elf;
  const slot = findJumpSlot(elf, segments, dynamic, machine);
  const functionAddress = appendCode(elf, segments, machine.code);
  elf.writeBigUInt64LE(BigInt(machine.relative), slot + 8);
  elf.writeBigInt64LE(BigInt(functionAddress), slot + 16);
  dropNeeded(elf, dynamic, needed);
  dropVersionNeed(elf, segments, dynamic);
  return elf;
}

/** The names of the shared libraries that an executable asks the loader for. */
export function neededLibraries(elf: Buffer): readonly string[] {
  const segments = readSegments(elf);
  const dynamic = readDynamic(elf, segments);
  return dynamic.filter((entry) => entry.tag === DT.needed).map((entry) => nameAt(elf, segments, dynamic, entry.value));
}

function readSegments(elf: Buffer): readonly Segment[] {
  const at = word(elf, 32);
  const entrySize = elf.readUInt16LE(54);
  return Array.from({ length: elf.readUInt16LE(56) }, (_, index) => {
    const headerAt = at + index * entrySize;
    return {
      headerAt,
      type: elf.readUInt32LE(headerAt),
      flags: elf.readUInt32LE(headerAt + 4),
      offset: word(elf, headerAt + 8),
      address: word(elf, headerAt + 16),
      sizeInFile: word(elf, headerAt + 32),
    };
  });
}

function readDynamic(elf: Buffer, segments: readonly Segment[]): readonly DynamicEntry[] {
  const segment = segments.find((candidate) => candidate.type === PT_DYNAMIC);
  if (segment === undefined) throw unexpected('it has no dynamic section');
  const entries: DynamicEntry[] = [];
  for (let at = segment.offset; at < segment.offset + segment.sizeInFile; at += 16) {
    const entry = { tag: word(elf, at), value: word(elf, at + 8), at };
    if (entry.tag === DT.null) break;
    entries.push(entry);
  }
  return entries;
}

function findJumpSlot(
  elf: Buffer,
  segments: readonly Segment[],
  dynamic: readonly DynamicEntry[],
  machine: Machine,
): number {
  const table = fileOffset(segments, dynamicValue(dynamic, DT.jmprel));
  const symbols = fileOffset(segments, dynamicValue(dynamic, DT.symtab));
  for (let at = table; at < table + dynamicValue(dynamic, DT.pltRelSize); at += 24) {
    const symbolAt = symbols + elf.readUInt32LE(at + 12) * 24;
    if (nameAt(elf, segments, dynamic, elf.readUInt32LE(symbolAt)) !== SYMBOL) continue;
    if (elf.readUInt32LE(at + 8) !== machine.jumpSlot)
      throw unexpected(`${SYMBOL} is not imported through a jump slot`);
    return at;
  }
  throw unexpected(`it needs ${LIBRARY} for something else than ${SYMBOL}`);
}

/** Writes `code` behind the code segment's last byte, where the file is padded up to the next page. Returns its address. */
function appendCode(elf: Buffer, segments: readonly Segment[], code: Buffer): number {
  const segment = segments.find((candidate) => candidate.type === PT_LOAD && (candidate.flags & PF_X) !== 0);
  if (segment === undefined) throw unexpected('it has no code segment');
  const codeOffset = (segment.offset + segment.sizeInFile + 15) & ~15;
  const codeEnd = codeOffset + code.length;
  const room = elf.subarray(segment.offset + segment.sizeInFile, codeEnd);
  const taken = segments.some(
    (other) => other.type === PT_LOAD && other.offset >= segment.offset + segment.sizeInFile && other.offset < codeEnd,
  );
  if (taken || room.some((byte) => byte !== 0)) throw unexpected('there is no room behind its code');
  code.copy(elf, codeOffset);
  const size = BigInt(codeEnd - segment.offset);
  elf.writeBigUInt64LE(size, segment.headerAt + 32);
  elf.writeBigUInt64LE(size, segment.headerAt + 40);
  return segment.address + (codeOffset - segment.offset);
}

/** Removes one entry of the dynamic table by moving those behind it up. */
function dropNeeded(elf: Buffer, dynamic: readonly DynamicEntry[], needed: DynamicEntry): void {
  const last = dynamic.at(-1) ?? needed;
  elf.copy(elf, needed.at, needed.at + 16, last.at + 16);
  elf.fill(0, last.at, last.at + 16);
}

/** Unlinks the library's record in the table of needed symbol versions; the loader asserts that each has its library. */
function dropVersionNeed(elf: Buffer, segments: readonly Segment[], dynamic: readonly DynamicEntry[]): void {
  const table = entryOf(readDynamic(elf, segments), DT.verneed);
  const count = entryOf(readDynamic(elf, segments), DT.verneedNum);
  let before: number | undefined;
  for (let at = fileOffset(segments, table.value), left = count.value; left > 0; left--) {
    const next = elf.readUInt32LE(at + 12);
    if (nameAt(elf, segments, dynamic, elf.readUInt32LE(at + 4)) === LIBRARY) {
      if (before === undefined) elf.writeBigUInt64LE(BigInt(table.value + next), table.at + 8);
      else elf.writeUInt32LE(next === 0 ? 0 : elf.readUInt32LE(before + 12) + next, before + 12);
      elf.writeBigUInt64LE(BigInt(count.value - 1), count.at + 8);
      return;
    }
    before = at;
    at += next;
  }
}

function nameAt(elf: Buffer, segments: readonly Segment[], dynamic: readonly DynamicEntry[], index: number): string {
  const start = fileOffset(segments, dynamicValue(dynamic, DT.strtab)) + index;
  return elf.toString('latin1', start, elf.indexOf(0, start));
}

function entryOf(dynamic: readonly DynamicEntry[], tag: number): DynamicEntry {
  const entry = dynamic.find((candidate) => candidate.tag === tag);
  if (entry === undefined) throw unexpected(`its dynamic section has no entry ${tag}`);
  return entry;
}

const dynamicValue = (dynamic: readonly DynamicEntry[], tag: number): number => entryOf(dynamic, tag).value;

function fileOffset(segments: readonly Segment[], address: number): number {
  const segment = segments.find(
    (s) => s.type === PT_LOAD && address >= s.address && address < s.address + s.sizeInFile,
  );
  if (segment === undefined) throw unexpected(`address ${address} is not in the file`);
  return address - segment.address + segment.offset;
}

const word = (elf: Buffer, at: number): number => Number(elf.readBigUInt64LE(at));

const unexpected = (what: string): StorkError =>
  new StorkError({
    code: 'UnexpectedExecutable',
    message: `The Node runtime can't be freed of ${LIBRARY}: ${what}.`,
    hint: 'A new Node version needs a look at scripts/build/absorb-libatomic.ts.',
  });
