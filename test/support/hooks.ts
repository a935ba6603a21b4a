import { stopTestServer } from './postgres.ts';

/** Root hooks of mocha: what the whole run shared ends with it. */
export const mochaHooks = { afterAll: stopTestServer };
