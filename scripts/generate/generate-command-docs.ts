/** docs/commands.md: the help of every command of kubectl stork, from the commands themselves. */
import { allCommands } from '../../plugin/commands/all-commands.ts';
import { renderCommandHelp, renderGlobalOptions } from '../../plugin/render-help.ts';
import type { Generator } from '../generate.ts';

const width = 100;

export function generateCommandDocs(): Generator {
  return {
    name: 'commands',
    owns: { folder: 'docs', ending: 'commands.md' },
    generate: () => {
      const shown = allCommands.filter((command) => command.hidden === undefined);
      const sections = shown.map((command) => {
        const name = command.words.map(([word]) => word).join(' ');
        return `## ${name}\n\n\`\`\`\n${renderCommandHelp(command, width)}\n\`\`\`\n`;
      });
      const options = `## Flags of every command\n\n\`\`\`\n${renderGlobalOptions(width)}\n\`\`\`\n`;
      const head = '# kubectl stork\n\nMade by npm run generate from plugin/commands.\n';
      return new Map([['docs/commands.md', [head, ...sections, options].join('\n')]]);
    },
  };
}
