import { readFileSync } from 'node:fs';
import { faultLine } from '@strangler-kit/router/config/fault.ts';
import { parseConfig } from '@strangler-kit/router/config/parse.ts';
import { LINK_PATH, signOverride } from '@strangler-kit/router/request/override.ts';
import { Failure, print } from '../output.ts';

interface LinkOptions {
  readonly side: string;
  readonly hours: string;
  readonly url?: string;
  readonly config: string;
  readonly json?: boolean;
}

/** A signed link: whoever opens it gets this side of the feature in that browser, until it expires. Made without asking the router. */
export function linkCommand(feature: string, options: LinkOptions): void {
  const key = process.env['STRANGLER_OVERRIDE_KEY'];
  if (!key) throw new Failure(2, ['set STRANGLER_OVERRIDE_KEY to the key the router runs with']);
  const { config, faults } = parseConfig(readFileSync(options.config, 'utf8'), process.env);
  if (!config)
    throw new Failure(
      2,
      faults.map((fault) => faultLine(options.config, fault)),
    );
  const settings = config.features[feature];
  if (!settings)
    throw new Failure(2, [
      `there is no feature "${feature}"; there are ${Object.keys(config.features).join(', ')}`,
    ]);
  if (settings.kind === 'seam')
    throw new Failure(2, [
      `${feature} is a seam: no browser sends requests of it; a rule in its flag can give chosen keys a side`,
    ]);
  if (!settings.override?.cookie)
    throw new Failure(2, [
      `${feature} has no override cookie in ${options.config}: add override: { cookie: strangler_override }`,
    ]);
  const sides = [settings.upstream, config.default];
  if (!sides.includes(options.side))
    throw new Failure(2, [
      `--side ${options.side} is not a side of ${feature}; it has ${sides.join(' and ')}`,
    ]);
  const hours = Number(options.hours);
  if (!(hours > 0 && hours <= 24 * 30))
    throw new Failure(2, [`--hours ${options.hours} is not between 0 and ${24 * 30}`]);
  const expires = Math.floor(Date.now() / 1000 + hours * 3600);
  const token = signOverride({ feature, upstream: options.side, expires }, key);
  const origin =
    options.url ??
    `http://${config.listen.host === '0.0.0.0' ? '127.0.0.1' : config.listen.host}:${config.listen.port}`;
  const link = `${origin.replace(/\/$/, '')}${LINK_PATH}?${new URLSearchParams({ token })}`;
  print(options, { link, feature, side: options.side, expires }, () => [
    link,
    `gives one browser ${options.side} for ${feature} until ${new Date(expires * 1000).toISOString()}`,
  ]);
}
