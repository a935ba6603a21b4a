import assert from 'node:assert/strict';
import type { Reporter } from '../metrics/reporter.ts';
import type { Report } from './protocol.ts';
import { createRoster } from './roster.ts';

const report = (version: string, connections = 1, breaker = 'closed', deltas = {}): Report => ({
  status: {
    version,
    connections,
    upstreams: [
      {
        name: 'image-api',
        inFlight: connections,
        instances: [{ url: 'http://127.0.0.1:1', breaker, requests: 5 }],
      },
    ],
    draining: false,
  },
  deltas,
});

describe('the roster of workers', () => {
  it('hands each delta to the reporter of its name, and passes over what it does not know', () => {
    const added: unknown[] = [];
    const windows: Reporter = {
      name: 'windows',
      take: () => null,
      add: (delta, from) => added.push([delta, from]),
    };
    const roster = createRoster([windows]);
    roster.report('worker 1', 11, report('v1', 1, 'closed', { windows: { n: 1 }, later: { n: 2 } }));
    assert.deepEqual(added, [[{ n: 1 }, 'worker 1/11']]);
  });

  it('adds what workers say of upstreams, and shows the worst breaker', () => {
    const roster = createRoster([]);
    roster.report('worker 1', 11, report('v1', 2, 'closed'));
    roster.report('worker 2', 12, report('v1', 3, 'open'));
    roster.report('worker 3', 13, report('v1', 4, 'half-open'));
    assert.equal(roster.connections(), 9);
    assert.deepEqual(roster.instances(), [
      {
        name: 'image-api',
        inFlight: 9,
        instances: [{ url: 'http://127.0.0.1:1', breaker: 'open', requests: 15 }],
      },
    ]);
    roster.gone(12);
    assert.deepEqual(
      roster.workers()!.map(({ name, pid }) => [name, pid]),
      [
        ['worker 1', 11],
        ['worker 3', 13],
      ],
    );
  });

  it('knows when a version is served by all: the last one says so, or is gone', async () => {
    const roster = createRoster([]);
    await roster.reached('v1');
    for (const pid of [11, 12, 13]) roster.report(`worker ${pid}`, pid, report('v1'));
    let isReached = false;
    const reached = roster.reached('v2').then(() => (isReached = true));
    roster.report('worker 11', 11, report('v2'));
    roster.report('worker 12', 12, report('v2'));
    await new Promise((turn) => setImmediate(turn));
    assert.equal(isReached, false);
    roster.gone(13);
    await reached;
    assert.equal(isReached, true);
  });

  it('does not wait for ever for one that is stuck', async () => {
    const roster = createRoster([]);
    roster.report('worker 1', 11, report('v1'));
    await roster.reached('v2');
  });
});
