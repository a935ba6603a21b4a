import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { parseConfig } from '../config/parse.ts';
import type { Config } from '../config/schema.ts';
import { createOwnership, successorListens } from '../ownership.ts';
import type { Serving } from '../serving.ts';
import { startControlling, type Controlling } from './controlling.ts';
import type { SnapshotText } from './protocol.ts';
import { holdSocket, portMustBeFree, type HeldSocket } from './socket.ts';
import { startTeam, type Team } from './team.ts';

export interface SupervisorOptions {
  readonly configPath: string;
  readonly stateDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly cancel?: AbortSignal | undefined;
}

/** `workers` above 1: opens the port, and keeps control and workers running. */
export async function serveWithWorkers(
  options: SupervisorOptions & { readonly current: { snapshot(): { readonly config: Config } } },
): Promise<Serving> {
  const { listen } = options.current.snapshot().config;
  const ownership = createOwnership(options.stateDir);
  if (ownership.owner() === null && !ownership.hasListeners()) await portMustBeFree(listen);
  const socket = await holdSocket(listen);
  return supervise(options, socket, null, async () => undefined);
}

/**
 * Keeps control and workers running on a listening socket. This process carries no request, reads no file and decides nothing, so that little can end
 * it; when it is ended all the same, control ends and the workers drain. `before` is waited for when the workers accept and control is still to take
 * the state folder; `adminUrl` is where the admin port is to be (null: where the config says).
 */
export async function supervise(
  options: SupervisorOptions,
  socket: HeldSocket,
  adminAt: string | null,
  before: () => Promise<void>,
): Promise<Serving> {
  const { configPath, stateDir, env, log, cancel } = options;
  const ownership = createOwnership(stateDir);
  const configOf = ({ config }: SnapshotText): Config => parseConfig(config, env).config!;
  let controlling: Controlling;
  let team: Team;
  let adminUrl: string;
  let isDraining = false;
  let isReplacing = false;
  const replaced = new Set<Controlling>();

  /** Control that has read the files, and workers that accept. */
  async function prepare(): Promise<{ controlling: Controlling; team: Team; config: Config }> {
    let team: Team | null = null;
    const next = await startControlling({ configPath, env, log, changed: (snapshot) => team?.use(snapshot) });
    const config = configOf(next.snapshot());
    try {
      if (isDraining) throw new Error('the router drains');
      const first = next.snapshot();
      team = await startTeam({
        configPath,
        env,
        log,
        count: config.workers,
        fd: socket.fd,
        snapshot: first,
        // Those that drain report to whoever is control by now.
        report: (name, pid, report) => (replaced.has(next) ? controlling : next).report(name, pid, report),
        gone: (pid) => (replaced.has(next) ? controlling : next).gone(pid),
      });
      if (next.snapshot() !== first) team.use(next.snapshot());
      return { controlling: next, team, config };
    } catch (error) {
      await next.close();
      throw error;
    }
  }

  try {
    const prepared = await prepare();
    ({ controlling, team } = prepared);
    const { delay, deadline } = prepared.config.drain;
    try {
      await before();
      const giveUp = (): void => void controlling.close();
      cancel?.addEventListener('abort', giveUp);
      adminUrl = await controlling.go(team.url, adminAt);
      cancel?.removeEventListener('abort', giveUp);
    } catch (error) {
      await team.drain(delay + deadline);
      cancel?.throwIfAborted();
      throw error;
    }
  } catch (error) {
    socket.close();
    throw error;
  }
  ownership.listens();
  log.info({ url: team.url, admin: adminUrl, version: controlling.snapshot().version }, 'the router serves');

  async function replace(): Promise<void> {
    const was = { controlling, team, config: configOf(controlling.snapshot()) };
    const next = await prepare();
    if (JSON.stringify(next.config.listen) !== JSON.stringify(was.config.listen)) {
      next.team.kill();
      await next.controlling.close();
      throw new Error('listen was changed: that takes a new start');
    }
    controlling = next.controlling;
    team = next.team;
    replaced.add(was.controlling);
    const drained = was.team.drain(was.config.drain.deadline);
    await was.controlling.close();
    const sameAdmin = JSON.stringify(next.config.admin) === JSON.stringify(was.config.admin);
    adminUrl = await controlling.go(team.url, sameAdmin ? adminUrl : null);
    log.info(
      { url: team.url, admin: adminUrl, version: controlling.snapshot().version },
      'the router was replaced',
    );
    await drained;
    replaced.delete(was.controlling);
  }

  return {
    get url() {
      return team.url;
    },
    get adminUrl() {
      return adminUrl;
    },
    reload: () => controlling.reload(),
    async replace() {
      if (isReplacing || isDraining) return;
      isReplacing = true;
      try {
        await replace();
      } catch (err) {
        log.error({ err }, 'the router was not replaced; what ran goes on');
      } finally {
        isReplacing = false;
      }
    },
    async drain() {
      if (isDraining) return;
      isDraining = true;
      const { delay, deadline } = configOf(controlling.snapshot()).drain;
      log.info({ delay, deadline }, 'draining');
      controlling.draining();
      await wait(delay);
      await successorListens(ownership, deadline / 2);
      socket.close();
      await team.drain(deadline);
      await controlling.close();
      ownership.release();
      log.info('drained');
    },
  };
}
