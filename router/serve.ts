import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { pino } from 'pino';
import { stateFolder } from './config/state.ts';
import { loadCurrent, readConfig } from './flags/current.ts';
import { openSource } from './flags/open-source.ts';
import type { Serving } from './serving.ts';

export interface ServeOptions {
  /** Path of strangler.yaml; other paths in it are relative to its folder. */
  readonly config: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gives up a start that waits for another router to end. */
  readonly cancel?: AbortSignal;
}

/**
 * Opens the ports and serves: in this process, or with `workers` above 1 in processes that this one keeps running. Throws StartFaults when a file is
 * wrong, and what `listen` says when a port is taken by anybody but a router on the same state folder, or by that one for too long.
 */
export async function serve({ config: configPath, env, cancel }: ServeOptions): Promise<Serving> {
  const stateDir = stateFolder(configPath, env);
  mkdirSync(stateDir, { recursive: true });
  const log = pino({
    name: 'router',
    level: env['LOG_LEVEL'] ?? 'info',
    redact: ['req.headers.authorization', 'req.headers.cookie'],
  });
  const path = resolve(configPath);
  const { config, warnings } = readConfig(path, env);
  for (const fault of warnings) log.warn({ fault }, 'strangler.yaml');
  const options = { configPath: path, stateDir, env, log, cancel };
  // Each way is loaded only when it is taken: the process that keeps others running should have little that can fail.
  if (config.workers > 1)
    return (await import('./workers/supervisor.ts')).serveWithWorkers({ ...options, listen: config.listen });
  const source = await openSource(config, path, stateDir);
  const current = loadCurrent(path, stateDir, env, null, source);
  return (await import('./alone.ts')).serveAlone({ ...options, current });
}
