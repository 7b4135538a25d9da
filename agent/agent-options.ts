/** What `stork-agent run` is told by its Deployment (environment) and its command line. */
import { StorkError } from '../kube/errors.ts';
import { type LogLevel, logLevels } from './observe/json-log.ts';

export interface AgentOptions {
  /** The agent's namespace: its records, secrets and movers. */
  readonly namespace: string;
  readonly pod: string;
  /** This image, for mover Jobs. */
  readonly image: string;
  /** This cluster's name, for people on both sides. */
  readonly cluster: string;
  /** Hosts, addresses and CIDRs that kubeconfigs in ClusterPairs may name although they look internal. */
  readonly kubeconfigServers: readonly string[];
  /** Where what movers know outlasts them; nowhere when undefined. */
  readonly treeDirectory: string | undefined;
  readonly httpPort: number;
  readonly pairPort: number;
  readonly moverPort: number;
  readonly webhookPort: number;
  /** `debug` also tells each effect by its name as it begins and ends. */
  readonly logLevel: LogLevel;
}

/** @throws StorkError `AgentMisconfigured` naming the variable */
export function readAgentOptions(env: Readonly<Record<string, string | undefined>>): AgentOptions {
  const need = (name: string): string => {
    const value = env[name];
    if (value !== undefined && value !== '') return value;
    throw new StorkError({
      code: 'AgentMisconfigured',
      message: `The environment variable ${name} is not set`,
      about: name,
      hint: 'Install the agent with `kubectl stork install`, which sets it.',
    });
  };
  return {
    namespace: need('POD_NAMESPACE'),
    pod: need('POD_NAME'),
    image: need('STORK_IMAGE'),
    cluster: printable(env.STORK_CLUSTER_NAME ?? 'cluster'),
    kubeconfigServers: (env.STORK_KUBECONFIG_SERVERS ?? '').split(',').filter((one) => one !== ''),
    treeDirectory: env.STORK_TREES === '' ? undefined : env.STORK_TREES,
    httpPort: 8080,
    pairPort: 8443,
    moverPort: 9443,
    webhookPort: 9444,
    logLevel: readLogLevel(env.STORK_LOG_LEVEL ?? ''),
  };
}

function readLogLevel(text: string): LogLevel {
  const level = text === '' ? 'info' : logLevels.find((one) => one === text);
  if (level !== undefined) return level;
  throw new StorkError({
    code: 'AgentMisconfigured',
    message: `The environment variable STORK_LOG_LEVEL is ${JSON.stringify(text)}`,
    about: 'STORK_LOG_LEVEL',
    hint: `Set it to one of ${logLevels.join(', ')}, or remove it.`,
  });
}

/** Peers take a name of printable ASCII only. */
const printable = (name: string): string => name.replace(/[^\x21-\x7e]/g, '-').slice(0, 63) || 'cluster';
