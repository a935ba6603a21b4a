import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import type { Logger } from 'pino';
import type { AppToken } from './app-token.ts';

export interface Answer {
  readonly value: string;
  /** As the router gives them; empty when the default was taken. */
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

/** Asks for a flag. Never rejects: `preset` is the answer while nobody else gives one. */
export type AskFlag = (flag: string, preset: string, targetingKey: string) => Promise<Answer>;

export interface FlagOptions {
  /** The router's admin port, as in http://127.0.0.1:8081. */
  readonly url: string;
  readonly token: AppToken;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Milliseconds an answer may take. Default 250. */
  readonly timeout?: number;
  /** Milliseconds in which nobody is asked after a failure, so that not everybody waits for a router that is dead. Default 1 s. */
  readonly pause?: number;
}

let domains = 0;

/**
 * Flags by OpenFeature, from the router (OFREP). After a failure all get the default at once for a while; then one asks, and the others go on
 * when it was answered. Log lines tell when answers cease and when they are back, never single requests.
 */
export function openFlags({ url, token, log, timeout = 250, pause = 1000 }: FlagOptions): AskFlag {
  const domain = `monolith-${++domains}`;
  const provider = new OFREPProvider({
    baseUrl: url.replace(/\/+$/, ''),
    headersFactory: async () => ({ authorization: `Bearer ${await token.read()}` }),
    async fetchImplementation(input: Request) {
      const response = await fetch(input, { signal: AbortSignal.timeout(timeout) });
      if (response.status === 401 || response.status === 403) token.forget();
      return response;
    },
  });
  OpenFeature.setProvider(domain, provider);
  // The SDK would log each failed request; what is to be told of them is told below.
  const client = OpenFeature.getClient(domain).setLogger({ error() {}, warn() {}, info() {}, debug() {} });
  let isDown = false;
  let quietUntil = 0;
  return async (flag, preset, targetingKey) => {
    const none = { value: preset, metadata: {} };
    const now = performance.now();
    if (now < quietUntil) return none;
    // The one that asks again takes the others' turn until its answer is there.
    if (isDown) quietUntil = now + pause + timeout;
    const { value, errorCode, errorMessage, flagMetadata } = await client.getStringDetails(flag, preset, {
      targetingKey,
    });
    if (errorCode !== undefined) {
      quietUntil = performance.now() + pause;
      if (!isDown)
        log.warn(
          { flag, url, reason: errorMessage || errorCode },
          `flags are not answered: ${preset} is the answer until they are`,
        );
      isDown = true;
      return none;
    }
    quietUntil = 0;
    if (isDown) log.info({ url }, 'flags are answered again');
    isDown = false;
    return { value, metadata: flagMetadata };
  };
}
