/**
 * What a requester may do on this cluster, asked of the API server (SubjectAccessReview), so that every authorizer and
 * every kind of user counts. Few questions: whoever may do everything is asked once, the owner of a namespace once there.
 * Nothing is remembered: rights that were withdrawn are gone with the next review.
 */
import type { KubeClient, ObjectMeta } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { type AccessQuestion, describeQuestion, everything } from './access-question.ts';
import { findGuardedSince } from './guarded-since.ts';
import { decideRequester, type Requester } from './requester.ts';

export interface Access {
  /** @throws StorkError `RequesterUnknown` saying what to do */
  requesterOf(
    object: { readonly kind: string; readonly metadata: ObjectMeta },
    signal?: AbortSignal,
  ): Promise<Requester>;
  may(requester: Requester, question: AccessQuestion, signal?: AbortSignal): Promise<boolean>;
  /** @throws StorkError `RequesterMayNot` naming user, verbs, resources and namespaces */
  require(requester: Requester, questions: readonly AccessQuestion[], signal?: AbortSignal): Promise<void>;
}

const limits = {
  /** Reviews at the same time. */
  parallel: 8,
  /** Refusals that one message names; no more questions are asked then. */
  named: 10,
} as const;

export function createAccess(client: KubeClient): Access {
  const may = (requester: Requester, question: AccessQuestion, signal?: AbortSignal) =>
    review(client, { requester, question }, signal);
  return {
    async requesterOf(object, signal) {
      const { namespace, name } = object.metadata;
      const what = `${object.kind.toLowerCase()} ${namespace}/${name}`;
      const guardedSince = await findGuardedSince(client, signal);
      const decision = decideRequester({ what, metadata: object.metadata, guardedSince });
      if (decision.known === 'Yes') return decision.requester;
      const { code, message, hint } = decision;
      throw new StorkError({ code, message, hint, about: what });
    },
    may,
    async require(requester, questions, signal) {
      if (questions.length === 0 || (await may(requester, everything(), signal))) return;
      const ask = (question: AccessQuestion, stop?: AbortSignal) => may(requester, question, stop);
      const left = await withoutOwned(questions, ask, signal);
      const denied: AccessQuestion[] = [];
      const look = async (question: AccessQuestion, stop: AbortSignal) => {
        if (denied.length < limits.named && !(await ask(question, stop))) denied.push(question);
      };
      await mapLimit(left, limits.parallel, look, signal);
      if (denied.length > 0) throw mayNot(requester, denied);
    },
  };
}

type Ask = (question: AccessQuestion, signal?: AbortSignal) => Promise<boolean>;

/** The questions, each once, but for those of namespaces in which the requester may do everything. */
async function withoutOwned(
  questions: readonly AccessQuestion[],
  ask: Ask,
  signal?: AbortSignal,
): Promise<readonly AccessQuestion[]> {
  const distinct = [...new Map(questions.map((question) => [describeQuestion(question), question])).values()];
  const namespaces = [...new Set(distinct.map(({ namespace }) => namespace).filter((name) => name !== undefined))];
  const owned = await mapLimit(
    namespaces,
    limits.parallel,
    async (namespace, stop) => ((await ask(everything(namespace), stop)) ? [namespace] : []),
    signal,
  );
  const covered = new Set(owned.flat());
  return distinct.filter(({ namespace }) => namespace === undefined || !covered.has(namespace));
}

async function review(
  client: KubeClient,
  asked: { readonly requester: Requester; readonly question: AccessQuestion },
  signal?: AbortSignal,
): Promise<boolean> {
  const { username, uid, groups, extra } = asked.requester;
  const { status } = await client.create(
    core.subjectAccessReviews,
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      // SubjectAccessReviews are not stored and have no name.
      metadata: { name: '' },
      spec: {
        user: username,
        uid,
        groups: [...(groups ?? [])],
        extra: Object.fromEntries(Object.entries(extra ?? {}).map(([key, values]) => [key, [...values]])),
        resourceAttributes: { ...asked.question },
      },
    },
    { signal },
  );
  return status?.allowed === true;
}

function mayNot({ username }: Requester, denied: readonly AccessQuestion[]): StorkError {
  const named = denied.map(describeQuestion).toSorted();
  return new StorkError({
    code: 'RequesterMayNot',
    message: `User ${username}, who asked for this, may not ${named.join(', nor ')}`,
    about: `user ${username}`,
    hint: 'An admin can allow it with a Role or ClusterRole. A kind that may not be read can be left out: spec.excludeResourceTypes.',
  });
}
