/**
 * The pair link, for tests that cut it, slow it down or count what crosses it:
 *
 *     await using cut = await cutLink();     // restored at the end of the block
 *     const before = await countLinkBytes();
 *
 * Everything is idempotent, and `restoreLink` takes back whatever was done.
 */
import { thisBed } from './places.ts';
import { type ClusterPlan, listClusters } from './plan.ts';
import { runCommand, tryCommand } from './run-command.ts';

/** Drop is a dead wire: packets vanish. Reject is a closed port: dialling fails at once. */
export type CutKind = 'Drop' | 'Reject';

export interface LinkShape {
  /** Per direction. */
  readonly bitsPerSecond?: number;
  /** 0 to 1, of the packets of both directions. */
  readonly loss?: number;
}

export interface LinkBytes {
  readonly aToB: number;
  readonly bToA: number;
}

const marks = { cut: 'stork-bed-cut', loss: 'stork-bed-loss', allow: 'stork-bed-allow' } as const;

/** Also stops connections that exist. */
export async function cutLink(kind: CutKind = 'Drop'): Promise<AsyncDisposable> {
  await removeMarked(marks.cut);
  await insertFirst(
    marks.cut,
    kind === 'Drop' ? ['-j', 'DROP'] : ['-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset'],
  );
  return { [Symbol.asyncDispose]: () => removeMarked(marks.cut) };
}

/** Undoes cutLink, shapeLink, allowPort and allowApiServers. */
export async function restoreLink(): Promise<void> {
  for (const mark of Object.values(marks)) await removeMarked(mark);
  await removeMarked(marks.allow, thisBed().chains.input);
  for (const { bridge } of listClusters(thisBed())) await tryCommand('tc', ['qdisc', 'del', 'dev', bridge, 'root']);
}

/** Replaces an earlier shape. There is no delay: the kernels this was made on have no netem. */
export async function shapeLink({ bitsPerSecond, loss }: LinkShape): Promise<AsyncDisposable> {
  await removeMarked(marks.loss);
  if (loss !== undefined) {
    await insertFirst(marks.loss, ['-m', 'statistic', '--mode', 'random', '--probability', String(loss), '-j', 'DROP']);
  }
  const clusters = listClusters(thisBed());
  for (const to of clusters) {
    await tryCommand('tc', ['qdisc', 'del', 'dev', to.bridge, 'root']);
    const others = clusters.filter((cluster) => cluster !== to);
    if (bitsPerSecond !== undefined) await limitRate(to, others, bitsPerSecond);
  }
  return { [Symbol.asyncDispose]: restoreLink };
}

/** Opens one more TCP port on the nodes of the other cluster, in both directions, until restoreLink. */
export async function allowPort(port: number): Promise<void> {
  for (const to of listClusters(thisBed())) {
    const rule = ['-p', 'tcp', '-o', to.bridge, '-d', to.nodeCidr, '--dport', String(port), '-j', 'ACCEPT'];
    await insertFirst(marks.allow, rule);
  }
}

/** Lets each cluster's nodes and pods reach the API server of the other one, until restoreLink. */
export async function allowApiServers(): Promise<void> {
  const clusters = listClusters(thisBed());
  for (const to of clusters) {
    for (const from of clusters.filter((cluster) => cluster !== to)) {
      const server = ['-d', to.hostAddress, '--dport', String(to.apiServerPort)];
      await insertFirst(
        marks.allow,
        ['-i', from.bridge, '-p', 'tcp', ...server, '-j', 'ACCEPT'],
        thisBed().chains.input,
      );
    }
  }
}

/** IP bytes that crossed the link since `up`, both directions, headers included. */
export async function countLinkBytes(): Promise<LinkBytes> {
  const { a, b } = thisBed();
  const listing = await runCommand('iptables', ['-w', '-nvxL', thisBed().chains.link]);
  const passed = listing
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[2] === 'ACCEPT');
  const sum = (from: ClusterPlan) =>
    passed.filter((fields) => fields[5] === from.bridge).reduce((total, fields) => total + Number(fields[1]), 0);
  return { aToB: sum(a), bToA: sum(b) };
}

export async function describeLink(): Promise<readonly string[]> {
  const rules = (await runCommand('iptables', ['-w', '-S', thisBed().chains.link])).split('\n');
  const has = (mark: string) => rules.some((rule) => rule.includes(mark));
  const shaped = (await runCommand('tc', ['qdisc', 'show', 'dev', thisBed().a.bridge])).includes('htb');
  const { aToB, bToA } = await countLinkBytes();
  return [
    `link: ${has(marks.cut) ? 'cut' : 'open'}${shaped ? ', rate limited' : ''}${has(marks.loss) ? ', losing packets' : ''}`,
    `bytes since up: a to b ${aToB}, b to a ${bToA}`,
  ];
}

/** Only traffic from the other cluster's nodes is limited; the host's own passes. */
async function limitRate(to: ClusterPlan, others: readonly ClusterPlan[], bitsPerSecond: number): Promise<void> {
  const dev = ['dev', to.bridge];
  await runCommand('tc', ['qdisc', 'add', ...dev, 'root', 'handle', '1:', 'htb', 'default', '0']);
  const rate = ['rate', `${Math.round(bitsPerSecond)}bit`, 'burst', '64k'];
  await runCommand('tc', ['class', 'add', ...dev, 'parent', '1:', 'classid', '1:1', 'htb', ...rate]);
  for (const from of others) {
    const match = ['u32', 'match', 'ip', 'src', from.nodeCidr, 'flowid', '1:1'];
    await runCommand('tc', ['filter', 'add', ...dev, 'parent', '1:', 'protocol', 'ip', 'prio', '1', ...match]);
  }
}

async function insertFirst(mark: string, rule: readonly string[], chain = thisBed().chains.link): Promise<void> {
  await runCommand('iptables', ['-w', '-I', chain, '1', '-m', 'comment', '--comment', mark, ...rule]);
}

async function removeMarked(mark: string, chain = thisBed().chains.link): Promise<void> {
  const rules = (await runCommand('iptables', ['-w', '-S', chain])).split('\n');
  for (const rule of rules.filter((line) => line.includes(mark))) {
    await runCommand('iptables', ['-w', '-D', ...rule.split(' ').slice(1)]);
  }
}
