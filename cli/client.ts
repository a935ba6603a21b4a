import { readFileSync } from 'node:fs';
import { userInfo, hostname } from 'node:os';
import { parseConfig } from '@strangler-kit/router/config/parse.ts';
import { stateFolder } from '@strangler-kit/router/config/state.ts';
import { tokenFile } from '@strangler-kit/router/admin/token.ts';
import type { FeatureJson, GateJson } from '@strangler-kit/router/admin/protocol.ts';
import { gateLines } from './gates.ts';
import { Failure } from './output.ts';

export interface RemoteOptions {
  readonly admin?: string;
  readonly config: string;
  readonly json?: boolean;
}

export interface ChangeOptions extends RemoteOptions {
  readonly why: string;
  readonly who?: string;
}

/** There is no router, or no token to ask it with: whoever can do without goes on. */
export class NoRouter extends Failure {}

/** Who makes a change at this machine. */
export const whoami = (): string => `${userInfo().username}@${hostname()}`;

/** Longest wait for the router, in milliseconds, unless somebody says otherwise. */
const TIMEOUT = 15_000;

/** Asks the admin API and answers its JSON. Throws Failure with what the router says, or with how to reach it. */
export async function ask<T>(
  options: RemoteOptions,
  path: string,
  init: { method?: string; body?: unknown; headers?: Record<string, string>; timeout?: number } = {},
): Promise<T> {
  const base = adminUrl(options);
  let response: Response;
  try {
    response = await fetch(new URL(path, base), {
      method: init.method ?? 'GET',
      headers: {
        authorization: `Bearer ${token(options)}`,
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...init.headers,
      },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
      signal: AbortSignal.timeout(init.timeout ?? TIMEOUT),
    });
  } catch (error) {
    if (error instanceof Failure) throw error;
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
    throw new NoRouter(2, [
      `no router answers at ${base} (${cause}); is it running? Name another with --admin URL`,
    ]);
  }
  const body = (await response.json().catch(() => null)) as
    (T & { detail?: string; title?: string; gates?: readonly GateJson[] }) | null;
  if (response.ok && body !== null) return body;
  const detail =
    body?.detail ?? body?.title ?? `the answer at ${base} is not the admin API's (status ${response.status})`;
  throw new Failure(response.status === 409 || response.status === 412 || response.status === 422 ? 1 : 2, [
    detail,
    ...gateLines(body?.gates ?? []),
  ]);
}

/**
 * Changes a feature as it is now: reads it, and lets the router refuse if somebody else was faster. The reading and the change are two
 * requests, so a race shows as exit 1 and is never silently lost.
 */
export async function change(
  options: ChangeOptions,
  feature: string,
  verb: string,
  body: Record<string, unknown> = {},
): Promise<FeatureJson> {
  const path = `/api/features/${encodeURIComponent(feature)}`;
  const now = await ask<FeatureJson>(options, path);
  const isSplit = verb === 'split';
  return ask<FeatureJson>(options, `${path}/${verb}`, {
    method: isSplit ? 'PUT' : 'POST',
    headers: { 'if-match': now.etag },
    body: { ...body, why: options.why, who: options.who ?? whoami() },
  });
}

function adminUrl(options: RemoteOptions): string {
  if (options.admin) return options.admin;
  const port = process.env['ADMIN_PORT'];
  if (port) return `http://127.0.0.1:${port}`;
  let text: string;
  try {
    text = readFileSync(options.config, 'utf8');
  } catch {
    return 'http://127.0.0.1:8081';
  }
  const { config, faults } = parseConfig(text, process.env);
  if (!config)
    throw new Failure(2, [
      `${options.config} is wrong (${faults[0]?.message}); name the router with --admin URL`,
    ]);
  const { host, port: configured } = config.admin.listen;
  return `http://${host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host}:${configured}`;
}

function token(options: RemoteOptions): string {
  const given = process.env['STRANGLER_ADMIN_TOKEN'];
  if (given) return given;
  const path = tokenFile(stateFolder(options.config, process.env));
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new NoRouter(2, [
      `there is no admin token: set STRANGLER_ADMIN_TOKEN, or DATA_DIR to the router's state folder (looked for ${path})`,
    ]);
  }
}
