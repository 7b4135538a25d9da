/** What the stages of a migration need from the rest of the agent, as narrow interfaces: compose.ts plugs the services in. */
import type { Migration } from '../../../crds/v1alpha1/index.ts';
import type { Driver } from '../../../drivers/driver.ts';
import type { AnyObject, KubeClient } from '../../../kube/client/client.ts';
import type { Clock } from '../../../kube/clock.ts';
import type { Peer, Peers } from '../../peer/peer.ts';
import type { Access } from '../../requester/access.ts';
import type { PeerVersions } from '../../resources/collect/kinds.ts';
import type { ResourceRef } from '../../resources/resource-ref.ts';
import type { RuleRunner } from '../../rule/rule-runner.ts';
import type { MoverJobs } from '../mover-jobs.ts';
import type { Records } from '../records.ts';
import type { RunWatch } from '../run-watch.ts';

export interface SourceRuns {
  /** Lets the run's source mover, which runs in `namespace`, in and connects it to the peer; repeating changes nothing and tells how far it is. */
  open(
    of: {
      readonly run: string;
      readonly namespace: string;
      /** Whose data it reads: our grant must let them leave each time a stream begins. */
      readonly claimNamespaces: readonly string[];
      /** The claims, by the names that the mover has for them. */
      readonly volumes: readonly { readonly name: string; readonly uid: string }[];
    },
    peer: Peer,
  ): RunWatch;
  close(run: string): void;
}

export interface CollectContext {
  readonly namespaces: readonly string[];
  readonly pairId: string;
  /** Of the pair that cluster-scoped objects go over; the same one unless told. */
  readonly adminPairId?: string | undefined;
  /** What the destination serves; absent: unknown. */
  readonly peerVersions?: PeerVersions | undefined;
}

/** All names of one kind in one namespace; none, where there is no object of it. */
export interface PresentKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly namespace: string;
  readonly names: readonly string[];
}

export interface Collected {
  /** Objects ready for the destination, in waves that must be applied one after the other. */
  readonly waves: readonly (readonly AnyObject[])[];
  /** Kinds that could not be read: whatever there is of them does not travel. */
  readonly unreadable: readonly {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
    readonly resource: string;
    readonly reason: string;
  }[];
  /** Objects that their ResourceTransformation does not fit: they do not travel. */
  readonly misfits: readonly { readonly ref: ResourceRef; readonly reason: string }[];
  /** Objects that somebody keeps in line with Git here. */
  readonly managed: readonly { readonly ref: ResourceRef; readonly by: string }[];
  /** Everything there is, whether it travels or not, by kind and namespace: what a purge must leave. */
  readonly present: readonly PresentKind[];
  /** The namespaces that are there, and since when. */
  readonly namespaces: Readonly<Record<string, string>>;
  /** Left behind on purpose, with the reason. */
  readonly skipped: readonly {
    readonly kind: string;
    readonly namespace: string | undefined;
    readonly name: string;
    readonly reason: string;
  }[];
}

export interface SourceServices {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly agentNamespace: string;
  /** This cluster's name, for people. */
  readonly cluster: string;
  readonly peers: Peers;
  readonly runs: SourceRuns;
  readonly records: Records;
  readonly rules: RuleRunner;
  /** Who asked for a migration, and what they may do themselves. */
  readonly access: Access;
  readonly moverJobs: MoverJobs;
  driverFor(volume: { readonly pv: AnyObject }): Driver | undefined;
  /** Collects, transforms and orders what the migration's spec selects (volumes' own objects aside). */
  collect(migration: Migration, context: CollectContext, signal?: AbortSignal): Promise<Collected>;
}

export const sourceLimits = {
  /** Groups of claims copied at the same time, per migration. */
  groups: 4,
  /** Snapshots asked for at the same time. */
  snapshots: 16,
  /** Seconds between looks at what no watch tells, a copy's progress with it: status is not written more often for that. */
  pollSeconds: 2,
  /** While an application is held: seconds between looks at the snapshots. */
  heldPollSeconds: 0.1,
  cleanUpSeconds: 600,
  /** How long workloads stay stopped for a copy unless told. */
  quiesceSeconds: 3600,
  /** For an answer that takes the peer many calls to its API server: thousands of claims, hundreds of objects. */
  longAnswerMs: 180_000,
} as const;
