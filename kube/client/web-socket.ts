/** The WebSocket client, to be loaded by `import()` only when needed; see yaml.ts for why not directly. */
export { WebSocket } from 'ws';
