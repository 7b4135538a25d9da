/** The YAML parser, to be loaded by `import()` only when needed. A CommonJS package imported so directly would lose its named exports in the bundle. */
export { parse } from 'yaml';
