/** Why the other cluster's API server was of no use, in words for the one who wrote the kubeconfig. Pure. */
import { ApiError, StorkError } from '../../../kube/errors.ts';
import type { Trouble } from '../pair-progress.ts';

/** What a server says may be long, and it is a stranger's. */
const maxQuotedCharacters = 300;

/**
 * @param answered whose API server ApiErrors are of: those of our own are not told here
 * @returns `undefined` for what is no failure of the other cluster
 */
export function describeFailure(error: unknown, answered: 'Here' | 'There'): Trouble | undefined {
  if (error instanceof ApiError) return answered === 'There' ? describeAnswer(error) : undefined;
  if (!(error instanceof StorkError)) return undefined;
  const code = codes[error.code] ?? error.code;
  const cause = error.cause instanceof Error ? `: ${quoted(error.cause.message)}` : '';
  const message = `${error.message.replace(/\.$/, '')}${cause}`;
  return { code, message: error.hint === undefined ? `${message}.` : `${message}. ${error.hint}` };
}

/** The client's words for any server become those for a pair's. */
const codes: Readonly<Record<string, string>> = {
  ApiServerUnreachable: 'KubeconfigUnreachable',
  ApiServerUntrusted: 'KubeconfigUntrusted',
};

function describeAnswer(error: ApiError): Trouble {
  const said = quoted(error.message);
  if (error.status.code === 401) {
    const message = `The other cluster does not accept the credentials of spec.config (${said}): put valid ones into it.`;
    return { code: 'KubeconfigUnauthorized', message };
  }
  if (error.code === 'Forbidden') {
    const message = `The user of spec.config may not do what pairing needs there: ${said}. It needs to create, get, patch and delete clusterpairs and to get secrets and services in stork-system, and to list nodes.`;
    return { code: 'KubeconfigForbidden', message };
  }
  // A kind that isn't served at all.
  if (error.code === 'NotFound' && error.status.details?.name === undefined) {
    const message =
      'No stork agent is installed on the other cluster: its admin installs it with `kubectl stork install`.';
    return { code: 'RemoteAgentMissing', message };
  }
  return {
    code: 'RemoteApiFailed',
    message: `The other cluster's API server refused (${error.status.code}): ${said}.`,
  };
}

const quoted = (text: string) =>
  text
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .replace(/\.$/, '')
    .slice(0, maxQuotedCharacters);
