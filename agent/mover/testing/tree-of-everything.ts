/** For tests: a tree with one of everything that a file system can hold, and what other programs see of a tree. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { openSyscalls } from '../syscalls.ts';

/** Devices and owners need root, attributes are read with Python. */
export const canTell = process.getuid?.() === 0 && spawnSync('python3', ['--version']).status === 0;
const syscalls = openSyscalls();

/** POSIX ACL xattr, version 2: owner rwx, user 1234 r--, group r-x, mask r-x, others none. */
const acl = Buffer.from(
  ['02000000', '01000700ffffffff', '02000400d2040000', '04000500ffffffff', '10000500ffffffff', '20000000ffffffff'].join(
    '',
  ),
  'hex',
);
/** VFS_CAP_REVISION_2 with the effective bit: cap_net_bind_service+ep. */
const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

/** One of everything that a file system can hold. */
export function fillWithEverything(root: string): void {
  const at = (name: string) => `${root}/${name}`;
  mkdirSync(at('dir/empty'), { recursive: true });
  mkdirSync(at('sticky'));
  chmodSync(at('sticky'), 0o3777);
  writeFileSync(at('setuid'), '#!/bin/sh\n');
  chownSync(at('setuid'), 1001, 1002);
  chmodSync(at('setuid'), 0o6755);
  writeFileSync(at('unreadable'), 'secret');
  chmodSync(at('unreadable'), 0);
  writeFileSync(at('dir/first'), 'linked');
  linkSync(at('dir/first'), at('dir/second'));
  linkSync(at('dir/first'), at('third'));
  symlinkSync('../nowhere/at all', at('dir/dangling'));
  symlinkSync('/etc/passwd', at('absolute'));
  writeFileSync(Buffer.from(`${root}/\xff\xfe name\n`, 'latin1'), 'not utf-8');
  writeFileSync(at('n'.repeat(255)), 'long');
  writeFileSync(at('empty'), '');
  writeFileSync(at('sparse'), 'head');
  truncateSync(at('sparse'), 64 * 1024 * 1024);
  writeFileSync(at('sparse'), 'tail', { flag: 'a' });
  execFileSync('mkfifo', [at('fifo')]);
  syscalls.makeNode(at('null'), 0o020666, 0x0103n);
  syscalls.makeNode(at('socket'), 0o140755, 0n);
  syscalls.makeNode(at('disk'), 0o060660, 0x0800n);
  writeFileSync(at('acl'), 'acl');
  chmodSync(at('acl'), 0o750);
  syscalls.setXattr(at('acl'), { name: 'system.posix_acl_access', value: acl });
  syscalls.setXattr(at('sticky'), { name: 'system.posix_acl_default', value: acl });
  writeFileSync(at('sticky/inherits'), 'inherits');
  writeFileSync(at('capable'), 'capable');
  syscalls.setXattr(at('capable'), { name: 'security.capability', value: capability });
  syscalls.setXattr(at('capable'), { name: 'user.note', value: Buffer.from([0, 255, 10]) });
  syscalls.setXattr(at('dir'), { name: 'user.empty', value: new Uint8Array(0) });
  syscalls.setMtime(at('dir/first'), 1_234_567_890_123_456_789n);
  syscalls.setMtime(at('dir/dangling'), -5_000_000_001n);
  syscalls.setMtime(at('dir/empty'), 1n);
  syscalls.setMtime(at('dir'), 987_654_321n);
}

/** Names, types, modes, owners, sizes, times, targets, links, contents, attributes: as other programs see them. */
export function listing(root: string): string {
  const format = '%P|%y|%m|%U|%G|%T@|%l|%n\\0';
  const names = execFileSync('find', [root, '-printf', format, '-o', '-name', 'lost+found', '-prune'], {
    encoding: 'latin1',
  });
  const sums = execFileSync(
    'sh',
    ['-c', 'cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum', 'sh', root],
    { encoding: 'latin1' },
  );
  const attributes = execFileSync(
    'python3',
    [
      '-c',
      `import os,sys
root=os.fsencode(sys.argv[1])
for base,dirs,files in sorted(os.walk(root)):
  for name in [b'']+sorted(files+dirs):
    path=os.path.join(base,name) if name else base
    for attr in sorted(os.listxattr(path,follow_symlinks=False)):
      print(path[len(root):],attr,os.getxattr(path,attr,follow_symlinks=False).hex())
    s=os.lstat(path); print(path[len(root):], s.st_size if not os.path.isdir(path) else 0, s.st_rdev, s.st_mtime_ns)`,
      root,
    ],
    { encoding: 'latin1' },
  );
  return [names.split('\0').sort().join('\n'), sums, attributes].join('\n----\n');
}
