/**
 * Which pod a mover is: its projected token, reviewed by the API server for our audience only, and bound to a pod. Good
 * answers are remembered briefly, by the token's hash, so that reports don't become API calls.
 */
import { createHash } from 'node:crypto';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { moverTokenAudience } from '../mover/contract.ts';
import type { PodIdentity } from './peer.ts';

export interface MoverAuthentication {
  /** @throws StorkError `InvalidMoverToken`, which never says why beyond that; ApiError when the server didn't answer */
  podOf(authorization: string | undefined, signal: AbortSignal): Promise<PodIdentity>;
}

/** A deleted pod's token is refused at the latest after this. */
const rememberMs = 60_000;
const maxRemembered = 1000;
const tokenLimitCharacters = 16 * 1024;

export function createMoverAuthentication(client: KubeClient, clock: Clock): MoverAuthentication {
  const remembered = new Map<string, { readonly pod: PodIdentity; readonly untilMs: number }>();
  return {
    async podOf(authorization, signal) {
      const token = authorization?.match(/^Bearer ([A-Za-z0-9._-]+)$/)?.[1];
      if (token === undefined || token.length > tokenLimitCharacters) throw refused();
      const key = createHash('sha256').update(token).digest('base64url');
      const known = remembered.get(key);
      if (known !== undefined && known.untilMs > clock.monotonicMs()) return known.pod;
      remembered.delete(key);
      const pod = await review(client, token, signal);
      const [oldest] = remembered.keys();
      if (remembered.size >= maxRemembered && oldest !== undefined) remembered.delete(oldest);
      remembered.set(key, { pod, untilMs: clock.monotonicMs() + rememberMs });
      return pod;
    },
  };
}

async function review(client: KubeClient, token: string, signal: AbortSignal): Promise<PodIdentity> {
  const { status } = await client.create(
    core.tokenReviews,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      // TokenReviews are not stored and have no name.
      metadata: { name: '' },
      spec: { token, audiences: [moverTokenAudience] },
    },
    { signal },
  );
  if (status?.authenticated !== true || !status.audiences?.includes(moverTokenAudience)) throw refused();
  const namespace = status.user?.username?.match(/^system:serviceaccount:([^:]+):[^:]+$/)?.[1];
  const name = status.user?.extra?.['authentication.kubernetes.io/pod-name']?.[0];
  const uid = status.user?.extra?.['authentication.kubernetes.io/pod-uid']?.[0];
  if (namespace === undefined || name === undefined || uid === undefined) throw refused();
  return { namespace, name, uid };
}

function refused(): StorkError {
  return new StorkError({ code: 'InvalidMoverToken', message: "The mover's token is not valid here" });
}
