/** The command line of stork-agent: which words do what. Loaded only when main.ts could not answer by itself. */
import type { Ambient } from '../kube/ambient.ts';
import { renderError, StorkError } from '../kube/errors.ts';
import type { Ending } from '../kube/run-program.ts';

const usage = `Usage: stork-agent COMMAND

  run      the agent of a cluster, as \`kubectl stork install\` deploys it
  mover    one half of a volume copy, as the agent's Jobs run it
  mover digest PATH   prints the digest of a tree, to compare two volumes by hand

  repo init|info|set   makes a repository for backups, tells about one, remembers its object lock
  repo serve|htpasswd  gives other machines a repository (restic's REST protocol), prints a user's line for that
  repo renew-locks   keeps the objects of one in a bucket with object lock locked
  backup   saves directories into a repository      restore  brings a restore point back
  list     the restore points                       browse   what one has at a path
  diff     what changed between two                 dump     a file or directory, to standard output
  copy     restore points into another repository
  verify   looks whether a repository is whole, and what is lost if not
  forget   takes restore points away, by name or by a retention policy
  prune    frees the space of what no restore point needs
  key list|add|remove|rotate|remove-replaced|recovery-kit   who can open a repository

  --version  --help
`;

/** Runs one command line; never throws for what a user can cause. */
export async function run(argv: readonly string[], ambient: Ambient): Promise<Ending> {
  const [command, ...rest] = argv;
  switch (command) {
    case 'run':
      return await runReported(ambient);
    case 'mover': {
      const { runMover } = await import('./mover/main-command.ts');
      return await runMover(rest, ambient);
    }
    case 'repo': {
      const { runRepoCommand } = await import('./repository/commands/repo-command.ts');
      return await runRepoCommand(rest, ambient);
    }
    case 'backup': {
      const { runBackupCommand } = await import('./repository/commands/backup-command.ts');
      return await runBackupCommand(rest, ambient);
    }
    case 'restore': {
      const { runRestoreCommand } = await import('./repository/commands/restore-command.ts');
      return await runRestoreCommand(rest, ambient);
    }
    case 'list': {
      const { runListCommand } = await import('./repository/commands/list-command.ts');
      return await runListCommand(rest, ambient);
    }
    case 'browse': {
      const { runBrowseCommand } = await import('./repository/commands/browse-command.ts');
      return await runBrowseCommand(rest, ambient);
    }
    case 'dump': {
      const { runDumpCommand } = await import('./repository/commands/dump-command.ts');
      return await runDumpCommand(rest, ambient);
    }
    case 'diff': {
      const { runDiffCommand } = await import('./repository/commands/diff-command.ts');
      return await runDiffCommand(rest, ambient);
    }
    case 'copy': {
      const { runCopyCommand } = await import('./repository/commands/copy-command.ts');
      return await runCopyCommand(rest, ambient);
    }
    case 'verify': {
      const { runVerifyCommand } = await import('./repository/commands/verify-command.ts');
      return await runVerifyCommand(rest, ambient);
    }
    case 'forget': {
      const { runForgetCommand } = await import('./repository/commands/forget-command.ts');
      return await runForgetCommand(rest, ambient);
    }
    case 'prune': {
      const { runPruneCommand } = await import('./repository/commands/prune-command.ts');
      return await runPruneCommand(rest, ambient);
    }
    case 'key': {
      const { runKeyCommand } = await import('./repository/commands/key-command.ts');
      return await runKeyCommand(rest, ambient);
    }
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      ambient.stdout.write(usage);
      return 0;
    default:
      return await failUnknown(command, rest, ambient);
  }
}

async function failUnknown(command: string, rest: readonly string[], ambient: Ambient): Promise<number> {
  const message = `unknown command ${JSON.stringify(command)}`;
  const { createTeller, isJsonWanted } = await import('./repository/commands/tell-stderr.ts');
  if (!isJsonWanted(rest)) {
    ambient.stderr.write(`stork-agent: ${message}\n${usage}`);
    return 2;
  }
  return createTeller(command, rest, ambient).fail(new StorkError({ code: 'ArgumentInvalid', message }));
}

async function runReported(ambient: Ambient): Promise<Ending> {
  const { runAgent } = await import('./run-agent.ts');
  try {
    return await runAgent(ambient);
  } catch (error) {
    ambient.stderr.write(`stork-agent: ${renderError(error)}\n`);
    return 1;
  }
}
