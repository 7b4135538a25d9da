/**
 * Tree blobs: one directory as JSON, its nodes sorted by name. Node texts are made one by one, so that workers can make them and
 * a directory of any size is only put together. Source: "Trees and Data" of restic's design document.
 */
import type { ByteString, Xattr } from '../../mover/syscalls.ts';
import { failDamaged } from '../repository-error.ts';
import { goModeOf, unixModeOf } from './go-mode.ts';
import { quoteName, unquoteName } from './go-name.ts';
import { formatTime, parseTime } from './go-time.ts';
import { assertId } from './object-id.ts';
import { exactNumbers, type JsonReader, jsonReader } from './read-json.ts';
import { parseNode, splitNodes } from './split-nodes.ts';

export const nodeTypes = ['dir', 'file', 'symlink', 'fifo', 'socket', 'dev', 'chardev', 'irregular'] as const;
export type NodeType = (typeof nodeTypes)[number];

export interface NodeStats {
  readonly type: NodeType;
  /** st_mode's low twelve bits. */
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly uid: number;
  readonly gid: number;
  readonly inode: bigint;
  readonly deviceId: bigint;
  /** Names of this inode. */
  readonly links: number;
  /** Of files; else 0. */
  readonly size: number;
  /** Of devices; else 0. */
  readonly device: bigint;
}

export interface TreeNode extends NodeStats {
  readonly name: ByteString;
  /** What a symlink says; else ''. */
  readonly linkTarget: ByteString;
  /** Blobs of a file, in order. */
  readonly content: readonly string[];
  /** Of directories. */
  readonly subtree: string | undefined;
  readonly xattrs: readonly Xattr[];
}

export const treeStart = '{"nodes":[';
export const treeEnd = ']}\n';

/** A node's text but for its content or subtree, which may be known later: `withContent` or `withSubtree` completes it. */
export function encodeNodeHead(node: Omit<TreeNode, 'subtree' | 'content'>): string {
  const { name, type, mode, uid, gid, linkTarget, xattrs } = node;
  const mtime = formatTime(node.mtimeNs);
  let text =
    `{"name":${JSON.stringify(quoteName(name))},"type":"${type}","mode":${goModeOf(type, mode)},"mtime":"${mtime}",` +
    `"atime":"${mtime}","ctime":"${formatTime(node.ctimeNs)}","uid":${uid},"gid":${gid},"inode":${node.inode},"device_id":${node.deviceId}`;
  if (type === 'file') text += `,"size":${node.size}`;
  if (type !== 'dir') text += `,"links":${node.links}`;
  if (type === 'symlink') text += encodeTarget(linkTarget);
  if (type === 'dev' || type === 'chardev') text += `,"device":${node.device}`;
  if (xattrs.length > 0) text += `,"extended_attributes":${JSON.stringify(xattrs.map(encodeXattr))}`;
  return text;
}

/** @param ids of a file's blobs; undefined for what has no content */
export const withContent = (head: string, ids: readonly string[] | undefined): string =>
  ids === undefined ? `${head},"content":null}` : `${head},"content":[${ids.map((id) => `"${id}"`).join()}]}`;

export const withSubtree = (head: string, subtree: string): string => `${head},"content":null,"subtree":"${subtree}"}`;

function encodeTarget(target: ByteString): string {
  const bytes = Buffer.from(target, 'latin1');
  const text = bytes.toString('utf8');
  const isText = Buffer.from(text, 'utf8').equals(bytes);
  // Older readers see replacement characters; newer ones (restic ≥ 0.17) take the raw bytes.
  const raw = isText ? '' : `,"linktarget_raw":"${bytes.toString('base64')}"`;
  return `,"linktarget":${JSON.stringify(text)}${raw}`;
}

const encodeXattr = ({ name, value }: Xattr) => ({
  name: Buffer.from(name, 'latin1').toString('utf8'),
  value: Buffer.from(value).toString('base64'),
});

/** A larger tree is never held as objects. */
export const wholeLimitBytes = 4 * 1024 * 1024;

/** The nodes of a tree, one after the other; a large tree is never held as objects. Throws `RepositoryDamaged`. */
export function* readTree(json: Buffer, about: string): Generator<TreeNode> {
  yield* inOrder(json.length <= wholeLimitBytes ? wholeNodes(json, about) : splitNodes(json, about), about);
}

/** The same of the texts of its nodes. */
export function* readNodes(texts: Iterable<Buffer>, about: string): Generator<TreeNode> {
  yield* inOrder(parsed(texts, about), about);
}

function* parsed(texts: Iterable<Buffer>, about: string): Generator<unknown> {
  for (const text of texts) yield parseNode(text, about);
}

function* inOrder(values: Iterable<unknown>, about: string): Generator<TreeNode> {
  let before: ByteString | undefined;
  for (const value of values) {
    const node = readNode(jsonReader(value, about));
    if (before !== undefined && before >= node.name) failDamaged("A tree's nodes are not in order", about);
    before = node.name;
    yield node;
  }
}

/** The nodes of a tree, not looked at yet. */
export function wholeNodes(json: Buffer, about: string): readonly unknown[] {
  try {
    return jsonReader(JSON.parse(exactNumbers(json.toString('utf8'))), about).list('nodes');
  } catch (cause) {
    return failDamaged('A tree is no JSON', about, cause);
  }
}

/** Of a node as `splitNodes` or `wholeNodes` gives it. Throws `RepositoryDamaged`. */
export function readNode(read: JsonReader): TreeNode {
  const { about } = read;
  const type =
    nodeTypes.find((one) => one === read.text('type', 16)) ?? failDamaged('A node has an unknown type', about);
  const name = unquoteName(read.text('name', 4096), about);
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    failDamaged('A node has an impossible name', about);
  const subtree = read.optionalText('subtree', 64);
  if (type === 'dir' && subtree === undefined) failDamaged('A directory has no subtree', about);
  return {
    name,
    type,
    mode: unixModeOf(read.optionalCount('mode') ?? 0),
    mtimeNs: parseTime(read.optionalText('mtime', 64), about),
    ctimeNs: parseTime(read.optionalText('ctime', 64), about),
    uid: read.optionalCount('uid') ?? 0,
    gid: read.optionalCount('gid') ?? 0,
    inode: read.optionalWide('inode') ?? 0n,
    deviceId: read.optionalWide('device_id') ?? 0n,
    links: read.optionalCount('links') ?? 0,
    size: read.optionalCount('size') ?? 0,
    device: read.optionalWide('device') ?? 0n,
    linkTarget: readTarget(read),
    content: read.texts('content').map((id) => assertId(id, about)),
    subtree: subtree === undefined ? undefined : assertId(subtree, about),
    xattrs: read.list('extended_attributes').map((one) => readXattr(jsonReader(one, about))),
  };
}

function readTarget(read: JsonReader): ByteString {
  const raw = read.optionalText('linktarget_raw');
  if (raw !== undefined) return Buffer.from(raw, 'base64').toString('latin1');
  return Buffer.from(read.optionalText('linktarget') ?? '', 'utf8').toString('latin1');
}

const readXattr = (read: JsonReader): Xattr => ({
  name: Buffer.from(read.text('name', 1024), 'utf8').toString('latin1'),
  value: Buffer.from(read.optionalText('value', 128 * 1024) ?? '', 'base64'),
});
