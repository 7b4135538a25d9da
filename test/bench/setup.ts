/** `npm run bench:setup`: builds what `npm run bench -- repo` compares us with. */
import { runCommand } from '../../scripts/run-command.ts';
import { ensurePeer, peerNames } from './peers.ts';

const say = (line: string) => void process.stderr.write(`${line}\n`);
for (const name of peerNames) {
  const program = await ensurePeer(name, say);
  const [version] = (await runCommand(program, [name === 'restic' ? 'version' : '--version'])).split('\n');
  console.log(`${program}: ${version}`);
}
