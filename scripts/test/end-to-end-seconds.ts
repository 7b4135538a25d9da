/**
 * How long each end-to-end file takes, in seconds, roughly: what shares them out between the lanes. Nothing fails when a
 * number is off, lanes only end at different times; `npm run e2e` tells each file's time.
 */
import type { Weights } from './plan-lanes.ts';

export const endToEndSeconds: Weights = {};
