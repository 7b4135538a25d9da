/** Started by make-executable.ts under the Node that pkg shall embed: `node run-pkg.cjs OPTIONS.json`. */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

// The path, not the name: what pkg exports is its command line; this is the engine behind it.
const pkg = require(join(__dirname, '../../node_modules/@yao-pkg/pkg/lib-es5/sea.js')).default;
const { main, targets, nodePath, seaConfig } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

pkg(main, { targets, nodePath, seaConfig }).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
