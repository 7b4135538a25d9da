/** docs/errors.md: every code that status, conditions, events and the command line can show, with what it says and what to do. */
import { join } from 'node:path';
import type { Generator } from '../generate.ts';
import { collectReasons, type Reason } from './collect-reasons.ts';
import { reasonAdvice } from './reason-advice.ts';

const root = join(import.meta.dirname, '../..');

/** Programs only: neither tests nor what tests are made of. */
const isProgram = (path: string) =>
  /^(agent|crds|drivers|kube|plugin)\//.test(path) &&
  !/\.(test|suite|conformance)\.ts$/.test(path) &&
  !ofTests.test(path);
const ofTests = /\/(testing|conformance|fake|memory)\/|\/(test-cluster|two-agents|terminal-world|play-pairing)\.ts$/;

/** Where a person meets what a folder says. */
const places: readonly (readonly [folder: string, place: string])[] = [
  ['agent/activation', 'Action'],
  ['agent/migration', 'Migration'],
  ['agent/mover', 'volumes of a Migration'],
  ['agent/pairing', 'ClusterPair'],
  ['agent/peer', 'ClusterPair, log of the agent'],
  ['agent/resources', 'resources of a Migration'],
  ['agent/rule', 'rules of a Migration'],
  ['agent/transformation', 'ResourceTransformation'],
  ['agent', 'log of the agent'],
  ['drivers', 'volumes of a Migration'],
  ['kube', 'log of the agent, command line'],
  ['crds', 'command line'],
  ['plugin', 'command line'],
];

const messagesShown = 3;

export function programReasons(): ReadonlyMap<string, readonly Reason[]> {
  const all = collectReasons(root, isProgram).toSorted((one, other) => (one.code < other.code ? -1 : 1));
  return Map.groupBy(all, ({ code }) => code);
}

export function generateErrors(): Generator {
  return {
    name: 'errors',
    owns: { folder: 'docs', ending: 'errors.md' },
    generate: () => {
      const head =
        '# Codes and reasons\n\nMade by npm run generate from the sources: each code that status, conditions, events, logs and the command line can show.\nThe reason of an event equals the reason of the condition, and is the anchor here. `…` stands for what is filled in.\n';
      const entries = [...programReasons()].map(([code, reasons]) => renderEntry(code, reasons));
      return new Map([['docs/errors.md', [head, ...entries].join('\n')]]);
    },
  };
}

function renderEntry(code: string, reasons: readonly Reason[]): string {
  const seen = [...new Set(reasons.map(({ path }) => placeOf(path)))].sort();
  const said = [
    ...new Set(reasons.flatMap(({ message }) => (message === undefined || message === '…' ? [] : [message]))),
  ];
  const hints = [...new Set(reasons.flatMap(({ hint }) => (hint === undefined || hint === '…' ? [] : [hint])))];
  const advice = reasonAdvice[code] === undefined ? hints.slice(0, messagesShown) : [reasonAdvice[code]];
  return [
    `## ${code}`,
    `Seen in: ${seen.join('; ')}.`,
    ...said.slice(0, messagesShown).map((message) => `- Says: ${oneLine(message)}`),
    ...advice.map((hint) => `- Do: ${oneLine(hint)}`),
    '',
  ].join('\n');
}

function placeOf(path: string): string {
  return places.find(([folder]) => path.startsWith(`${folder}/`))?.[1] ?? 'log of the agent';
}

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').trim();
