/** Which proxy the environment asks for: HTTPS_PROXY and NO_PROXY as Go's net/http reads them. */
import type { Environment } from './cluster-config.ts';

export function proxyFor(server: string, env: Environment): string | undefined {
  const { hostname, protocol } = new URL(server);
  const chosen = protocol === 'https:' ? (env.HTTPS_PROXY ?? env.https_proxy) : (env.HTTP_PROXY ?? env.http_proxy);
  if (chosen === undefined || chosen === '' || isLoopback(hostname)) return undefined;
  const exempt = (env.NO_PROXY ?? env.no_proxy ?? '').split(',').map((one) => one.trim().toLowerCase());
  return exempt.some((pattern) => matches(pattern, hostname.toLowerCase())) ? undefined : withScheme(chosen);
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname === '::1' || hostname.startsWith('127.');
}

function matches(pattern: string, hostname: string): boolean {
  if (pattern === '') return false;
  if (pattern === '*') return true;
  const bare = pattern.replace(/:\d+$/, '').replace(/^\*?\./, '');
  if (bare.includes('/')) return inIpv4Range(hostname, bare);
  return hostname === bare || hostname.endsWith(`.${bare}`);
}

function inIpv4Range(hostname: string, range: string): boolean {
  const [network = '', prefix = ''] = range.split('/');
  const [address, start] = [ipv4(hostname), ipv4(network)];
  const bits = Number(prefix);
  if (address === undefined || start === undefined || !Number.isInteger(bits) || bits < 0 || bits > 32) return false;
  const size = 2 ** (32 - bits);
  return Math.floor(address / size) === Math.floor(start / size);
}

function ipv4(text: string): number | undefined {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

const withScheme = (proxy: string) => (proxy.includes('://') ? proxy : `http://${proxy}`);
