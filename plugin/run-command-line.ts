/** Runs one command line against given commands and clusters; cli.ts gives it the real ones, tests give it fakes. */
import type { Ambient } from '../kube/ambient.ts';
import { type ClusterAccess, type ClusterSelection, selectionOf, selectionOfFile } from './cluster-access.ts';
import type { Cluster, Command, CommandContext, GivenArguments } from './command.ts';
import { completeWords, flagsSoFar } from './complete-words.ts';
import { parseCommandLine } from './parse-command-line.ts';
import { renderFailure } from './render-failure.ts';
import { renderCommandHelp, renderCommandList, renderGlobalOptions } from './render-help.ts';

/**
 * `__complete WORDS…` is what `kubectl_complete-stork` calls (commands/completion.ts).
 * Exit codes: 0 done, 1 failed, 2 partly done (migrate), 130 interrupted.
 */
export async function runCommandLine(
  argv: readonly string[],
  world: { readonly ambient: Ambient; readonly access: ClusterAccess; readonly commands: readonly Command[] },
): Promise<number> {
  const { ambient, access, commands } = world;
  const width = Math.min(ambient.stdout.columns || 100, 120);
  const opened: Cluster[] = [];
  try {
    if (argv[0] === 'options') {
      ambient.stdout.write(`${renderGlobalOptions(width)}\n`);
      return 0;
    }
    if (argv[0] === '__complete') {
      const words = argv.slice(1);
      const given = { positionals: [], flags: flagsSoFar(words) };
      const lines = await completeWords(createContext(given, { ambient, access, opened }), commands, words);
      ambient.stdout.write([...lines, ':4\n'].join('\n'));
      return 0;
    }
    const line = parseCommandLine(commands, argv);
    if (line.kind === 'help') {
      const help =
        line.command === undefined
          ? renderCommandList(commands, line.words, width)
          : renderCommandHelp(line.command, width);
      ambient.stdout.write(`${help}\n`);
      return 0;
    }
    return await line.command.run(createContext(line.given, { ambient, access, opened }), line.given);
  } catch (error) {
    if (ambient.signal.aborted) return 130;
    ambient.stderr.write(`${renderFailure(error)}\n`);
    return 1;
  } finally {
    for (const cluster of opened) cluster.client.close();
  }
}

function createContext(
  given: GivenArguments,
  world: { readonly ambient: Ambient; readonly access: ClusterAccess; readonly opened: Cluster[] },
): CommandContext {
  const { ambient, access, opened } = world;
  const selection = selectionOf(given.flags);
  const connections = new Map<string, Promise<Cluster>>();
  const connect = (key: string, wanted: ClusterSelection): Promise<Cluster> => {
    const known = connections.get(key);
    if (known !== undefined) return known;
    const connecting = access.connect(wanted).then((cluster) => {
      opened.push(cluster);
      return cluster;
    });
    connections.set(key, connecting);
    return connecting;
  };
  return {
    ambient,
    signal: ambient.signal,
    print: (line) => void ambient.stdout.write(`${line}\n`),
    say: (line) => void ambient.stderr.write(`${line}\n`),
    cluster: () => connect('', selection),
    clusterOf: (context) => connect(`context ${context}`, { ...selection, context }),
    clusterOfFile: (kubeconfig) => connect(`file ${kubeconfig}`, selectionOfFile(kubeconfig, selection)),
    clusterConfig: () => access.configOf(selection),
    contexts: () => access.contexts(selection),
    givenNamespace: selection.namespace,
  };
}
