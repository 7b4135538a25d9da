/** How the mover's modules fail: a StorkError with a stable code, and whether another attempt can help. */
import { StorkError } from '../../kube/errors.ts';
import { enforceLabel } from '../resources/pod-security.ts';

/** Throws; `code` becomes the result's code. Not retryable. */
export function fail(code: string, message: string, about?: string): never {
  throw new StorkError({ code, message, about });
}

/** Throws: as whom the mover runs it may not read that. Root may read everything. */
export function failUnreadable(path: string): never {
  fail(
    'VolumeUnreadable',
    `User ${user()}, as whom the mover runs because the namespace admits no root, may not read ${path}. ${admitRoot}`,
    path,
  );
}

/** Throws: the same before anything was changed, of what an update would have to do. */
export function failForbidden(what: string, path: string): never {
  fail(
    'UpdateForbidden',
    `User ${user()}, as whom the mover runs because the namespace admits no root, may not ${what} ${path}. ${admitRoot}`,
    path,
  );
}

/** Throws: a raw device is its node's, unless the node gives it to the pod. */
export function failDevice(to: 'read' | 'write', path: string): never {
  fail(
    to === 'read' ? 'VolumeUnreadable' : 'UpdateForbidden',
    `User ${user()}, as whom the mover runs because the namespace admits no root, may not ${to} the raw device ${path}. ${admitRoot}, or set device_ownership_from_security_context in containerd on the nodes`,
    path,
  );
}

const user = (): number => process.geteuid?.() ?? 0;
const admitRoot = `Let it admit root while the volumes move (label ${enforceLabel}=baseline)`;

/** Throws; another attempt may succeed without anybody changing anything. */
export function failForNow(code: string, message: string, cause?: unknown): never {
  throw new StorkError({ code, message, retryable: true, cause });
}

/** The errno name of a failed system call, of node:fs or ours; undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
