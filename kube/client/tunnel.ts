/** A connection through an HTTP(S) proxy, by CONNECT. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { StorkError } from '../errors.ts';

/**
 * Resolves to the raw connection to `host:port` behind the proxy; TLS to the server is the caller's.
 * @throws StorkError ProxyRefused, also for a proxy of another kind than http and https
 */
export function openTunnel(proxyUrl: string, host: string, port: number): Promise<Duplex> {
  const proxy = new URL(proxyUrl);
  const about = `${proxy.protocol}//${proxy.host}`;
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:') {
    return Promise.reject(
      refused(about, `The proxy ${about} is of a kind that isn't supported: only http and https are.`),
    );
  }
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const user = decodeURIComponent(proxy.username);
  const basic = Buffer.from(`${user}:${decodeURIComponent(proxy.password)}`).toString('base64');
  const open = proxy.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = open({
    host: proxy.hostname,
    port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : Number(proxy.port),
    method: 'CONNECT',
    path: target,
    headers: { host: target, ...(user === '' ? {} : { 'proxy-authorization': `Basic ${basic}` }) },
    agent: false,
    timeout: connectWithinMs,
  });
  request.on('connect', (response, socket: Socket) => {
    if (response.statusCode === 200) return resolve(socket);
    socket.destroy();
    reject(refused(about, `The proxy ${about} answered ${response.statusCode} for ${target}.`));
  });
  request.on('response', (response) => {
    response.destroy();
    reject(refused(about, `The proxy ${about} answered ${response.statusCode} for ${target}.`));
  });
  request.on('timeout', () => request.destroy(refused(about, `The proxy ${about} did not answer.`)));
  request.on('error', (error) => reject(error));
  request.end();
  return promise;
}

const connectWithinMs = 30_000;

const refused = (about: string, message: string) =>
  new StorkError({ code: 'ProxyRefused', message, about, retryable: true });
