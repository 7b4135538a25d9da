/** `--endpoint`, `--dest-ep`, `--src-ep`: where an agent is reached, in the forms that Stork's tool takes. Pure. */
import { isIP } from 'node:net';
import { pairNodePort } from '../../crds/agent-names.ts';
import { StorkError } from '../../kube/errors.ts';

/**
 * `host:port`, `https://host:port`, and `host` alone with the agent's own port.
 * @returns `host:port`
 * @throws StorkError `BadFlag`
 */
export function parseEndpoint(flag: string, given: string): string {
  const [, scheme, rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(.*)$/.exec(given) ?? [];
  if (scheme !== undefined && scheme.toLowerCase() !== 'https')
    throw bad(flag, given, `the scheme is https, not ${scheme}`);
  const address = rest.replace(/\/$/, '');
  if (isIP(address) !== 0) throw bad(flag, given, `an address needs its port, e.g. ${withPort(address, pairNodePort)}`);
  const [, host = '', port] =
    /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(\d{1,5}))?$/.exec(address) ?? [];
  if (host === '' || host.length > 255) throw bad(flag, given, 'must be HOST:PORT');
  if (port === undefined && host.startsWith('['))
    throw bad(flag, given, `an address needs its port, e.g. ${host}:${pairNodePort}`);
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    throw bad(flag, given, 'its port must be 1 to 65535');
  return `${host}:${port ?? pairNodePort}`;
}

/** @throws StorkError `BadFlag` */
export const parseEndpoints = (flag: string, given: readonly string[]): readonly string[] =>
  given.map((one) => parseEndpoint(flag, one));

const withPort = (address: string, port: number) =>
  isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;

function bad(flag: string, given: string, expected: string): StorkError {
  return new StorkError({ code: 'BadFlag', message: `invalid argument "${given}" for "--${flag}": ${expected}` });
}
