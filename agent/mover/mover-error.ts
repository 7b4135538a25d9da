/** How the mover's modules fail: a StorkError with a stable code, and whether another attempt can help. */
import { StorkError } from '../../kube/errors.ts';
import { enforceLabel } from '../resources/pod-security.ts';

/** Throws; `code` becomes the result's code. Not retryable. */
export function fail(code: string, message: string, about?: string): never {
  throw new StorkError({ code, message, about });
}

/** Throws: as whom the mover runs it may not read that. Root may read everything. */
export const failUnreadable = (path: string): never => failAsUser('VolumeUnreadable', 'read', path);

/** Throws before anything was changed: as whom the mover runs it may not carry out the update. */
export const failForbidden = (what: string, path: string): never => failAsUser('UpdateForbidden', what, path);

/** The same of a raw device, which is its node's unless the node gives it to the pod. */
export const failDevice = (to: 'read' | 'write', path: string): never =>
  failAsUser(
    to === 'read' ? 'VolumeUnreadable' : 'UpdateForbidden',
    `${to} the raw device`,
    path,
    ', or set device_ownership_from_security_context in the node’s containerd',
  );

function failAsUser(code: string, what: string, path: string, or = ''): never {
  const who = process.geteuid?.() ?? 0;
  fail(
    code,
    `User ${who}, as whom the mover runs because the namespace admits no root, may not ${what} ${path}. Let it admit root while the volumes move (label ${enforceLabel}=baseline)${or}`,
    path,
  );
}

/** Throws; another attempt may succeed without anybody changing anything. */
export function failForNow(code: string, message: string, cause?: unknown): never {
  throw new StorkError({ code, message, retryable: true, cause });
}

/** The errno name of a failed system call, of node:fs or ours; undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
