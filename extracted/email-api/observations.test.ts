import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../test/support/until.ts';
import { reportTo, type Observation, type Observations } from './observations.ts';

const seen = (milliseconds: number): Observation => ({
  side: 'email-api',
  ok: true,
  milliseconds,
  parity: null,
  count: 1,
  difference: null,
});

describe('observations', () => {
  let router: Server;
  let dir: string;
  let answer = 200;
  let reports: { authorization: string | undefined; milliseconds: number[] }[] = [];
  let warnings = 0;
  let dropped = 0;
  const open: Observations[] = [];
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'observations-'));
    router = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        const { observations } = JSON.parse(text) as { observations: Observation[] };
        const { authorization } = request.headers;
        if (answer === 200)
          reports.push({ authorization, milliseconds: observations.map(({ milliseconds }) => milliseconds) });
        response.writeHead(answer).end();
      });
    }).listen(0, '127.0.0.1');
    await once(router, 'listening');
  });
  beforeEach(() => {
    reports = [];
    answer = 200;
    warnings = 0;
    dropped = 0;
  });
  afterEach(() => Promise.all(open.splice(0).map((each) => each.stop())));
  after(() => {
    router?.close();
    router?.closeAllConnections();
    rmSync(dir, { recursive: true, force: true });
  });
  const start = (options: Partial<Parameters<typeof reportTo>[0]> = {}): Observations => {
    const observations = reportTo({
      flagsUrl: `http://127.0.0.1:${(router.address() as { port: number }).port}`,
      appToken: { file: join(dir, 'app-token') },
      log: { warn: () => void (warnings += 1) },
      dropped: (count) => void (dropped += count),
      every: 20,
      ...options,
    });
    open.push(observations);
    return observations;
  };

  it('are kept until there is a token and a router, and handed over once, several at a time', async () => {
    const observations = start();
    for (let number = 0; number < 1200; number++) observations.add(seen(number));
    await until(() => warnings === 1, 'the missing token to be noticed');
    answer = 503;
    writeFileSync(join(dir, 'app-token'), 'from-file\n');
    answer = 200;
    await until(() => reports.length === 3, 'three reports');
    assert.deepEqual(
      reports.flatMap(({ milliseconds }) => milliseconds),
      [...Array(1200).keys()],
    );
    assert.deepEqual(
      new Set(reports.map(({ authorization }) => authorization)),
      new Set(['Bearer from-file']),
    );
    assert.deepEqual([warnings, dropped], [1, 0]);
  });

  it('are given up from the oldest on while the router is away, and counted', async () => {
    answer = 500;
    const observations = start({ most: 10, appToken: { text: 't' } });
    for (let number = 0; number < 25; number++) observations.add(seen(number));
    assert.equal(dropped, 15);
    await until(() => warnings === 1, 'the refusal');
    answer = 200;
    await until(() => reports.length === 1, 'a report');
    assert.deepEqual(reports[0]!.milliseconds, [...Array(25).keys()].slice(15));
  });

  it('are handed over at the end, and wait for no router that is dead', async () => {
    const observations = start({ every: 3_600_000, appToken: { text: 't' } });
    observations.add(seen(1));
    await observations.stop();
    assert.deepEqual(
      reports.map(({ milliseconds }) => milliseconds),
      [[1]],
    );
    const alone = start({ flagsUrl: 'http://127.0.0.1:1', every: 3_600_000, appToken: { text: 't' } });
    alone.add(seen(2));
    await alone.stop();
    assert.equal(warnings, 1);
    const nobody = start({ flagsUrl: null });
    nobody.add(seen(3));
    await nobody.stop();
  });
});
