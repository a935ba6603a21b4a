import { setTimeout as wait } from 'node:timers/promises';
import { parseConfig } from '../config/parse.ts';
import type { Config } from '../config/schema.ts';
import { freePort } from '../free-port.ts';
import { createListeners } from '../listeners.ts';
import type { Serving, ServingOptions } from '../serving.ts';
import { addressOf, startControlling, type Controlling } from './controlling.ts';
import type { Address, SnapshotText } from './protocol.ts';
import { holdSocket, type HeldSocket } from './socket.ts';
import { startTeam, type Team } from './team.ts';

/** `workers` above 1: opens the port, and keeps control and workers running. */
export async function serveWithWorkers(
  options: ServingOptions & { readonly listen: Address },
): Promise<Serving> {
  const { stateDir, listen } = options;
  const listeners = createListeners({ stateDir, router: process.pid, listen });
  const port = listeners.others() ? listen.port : await freePort(listen);
  return await supervise(options, { host: listen.host, port });
}

/** Several sockets may be bound to one port, and the kernel spreads connections over them. */
const IS_SHARED = process.platform === 'linux';

/** What carries the traffic and decides in this very process, until others do. */
export interface Before {
  readonly config: Config;
  readonly adminUrl: string;
  /** Leaves admin port, journal and ramp. */
  leave(): void | Promise<void>;
}

/** The same as the successor of a router that was one process, on the port it has taken. That one drains afterwards. */
export async function succeed(options: ServingOptions, port: number, before: Before): Promise<Serving> {
  return await supervise(options, { host: before.config.listen.host, port }, before);
}

/** A control process that has read the files, and workers that accept. */
interface Crew {
  readonly controlling: Controlling;
  readonly team: Team;
  readonly config: Config;
}

/**
 * Keeps control and workers running. This process carries no request, reads no file and decides nothing, so that little can end
 * it; when it is ended all the same, control ends, and the workers serve on for a while and drain. Rejects, with nothing left, when they can't start.
 */
async function supervise(options: ServingOptions, address: Address, before?: Before): Promise<Serving> {
  const { configPath, env, log, cancel } = options;
  const sockets: HeldSocket[] = [];
  const configOf = ({ config }: SnapshotText): Config => parseConfig(config, env).config!;
  /** Those that drain as well: a kill is for them too. */
  const teams = new Set<Team>();
  /** Who decides; undefined before the first one is complete. */
  let now: Crew | undefined;
  let adminUrl: string;
  let isDraining = false;
  /** The replacements that were asked for, one after another. */
  let replacing: Promise<void> = Promise.resolve();

  async function prepare(): Promise<Crew> {
    let own: Team | null = null;
    const controlling = await startControlling({
      configPath,
      env,
      log,
      changed(snapshot) {
        if (now?.controlling === controlling) for (const team of teams) team.use(snapshot);
        else own?.use(snapshot);
      },
    });
    const config = configOf(controlling.snapshot());
    const replaced = now;
    // Those that were replaced report to whoever decides by now.
    const decider = (): Controlling => (now === replaced ? controlling : now!.controlling);
    try {
      while (sockets.length < (IS_SHARED ? config.workers : 1)) sockets.push(await holdSocket(address));
      const first = controlling.snapshot();
      own = await startTeam({
        configPath,
        env,
        log,
        count: config.workers,
        fds: sockets.slice(0, config.workers).map(({ fd }) => fd),
        snapshot: first,
        report: (name, pid, report) => decider().report(name, pid, report),
        gone: (pid) => decider().gone(pid),
      });
      if (controlling.snapshot() !== first) own.use(controlling.snapshot());
      teams.add(own);
      return { controlling, team: own, config };
    } catch (error) {
      await controlling.close();
      throw error;
    }
  }

  async function drainTeam(team: Team, deadline: number): Promise<void> {
    await team.drain(deadline);
    teams.delete(team);
  }

  async function begin(): Promise<Crew> {
    const crew = await prepare();
    const giveUp = (): void => void crew.controlling.close();
    cancel?.addEventListener('abort', giveUp);
    try {
      if (before) await follow(crew, before.config, before.adminUrl, before.leave);
      else adminUrl = await crew.controlling.go(null, false);
      return crew;
    } catch (error) {
      await drainTeam(crew.team, crew.config.drain.deadline);
      throw error;
    } finally {
      cancel?.removeEventListener('abort', giveUp);
    }
  }

  async function replace(was: Crew): Promise<void> {
    const next = await prepare();
    await follow(next, was.config, adminUrl, async () => {
      now = next;
      // Nobody would accept from those that fewer workers leave.
      closeSockets(next.config.workers);
      void drainTeam(was.team, was.config.drain.deadline);
      await was.controlling.close();
    });
  }

  /** Has a crew that accepts already decide as well, after whoever decided so far has left. */
  async function follow(
    next: Crew,
    was: Config,
    wasAdmin: string,
    leave: () => void | Promise<void>,
  ): Promise<void> {
    if (JSON.stringify(next.config.listen) !== JSON.stringify(was.listen)) {
      await Promise.all([next.team.kill(), next.controlling.close()]);
      teams.delete(next.team);
      throw new Error('listen was changed: that takes a new start');
    }
    await leave();
    const sameAdmin = JSON.stringify(next.config.admin) === JSON.stringify(was.admin);
    adminUrl = await next.controlling.go(sameAdmin ? addressOf(wasAdmin) : next.config.admin.listen, true);
    const { version } = next.controlling.snapshot();
    log.info({ url: next.team.url, admin: adminUrl, version }, 'the router was replaced');
  }

  const closeSockets = (from: number): void => sockets.splice(from).forEach((socket) => socket.close());
  try {
    now = await begin();
  } catch (error) {
    closeSockets(0);
    throw error;
  }
  const { version } = now.controlling.snapshot();
  if (!before) log.info({ url: now.team.url, admin: adminUrl!, version }, 'the router serves');

  return {
    get url() {
      return now!.team.url;
    },
    get adminUrl() {
      return adminUrl;
    },
    reload: () => now!.controlling.reload(),
    async replace() {
      replacing = replacing
        .then(() => (isDraining ? undefined : replace(now!)))
        .catch((err: unknown) => log.error({ err }, 'the router was not replaced; what ran goes on'));
      await replacing;
    },
    async drain() {
      if (isDraining) return;
      isDraining = true;
      await replacing;
      const { controlling } = now!;
      const { delay, deadline } = configOf(controlling.snapshot()).drain;
      log.info({ delay, deadline }, 'draining');
      controlling.draining();
      await wait(delay);
      closeSockets(0);
      await Promise.all([...teams].map((team) => drainTeam(team, deadline)));
      await controlling.close();
      log.info('drained');
    },
  };
}
