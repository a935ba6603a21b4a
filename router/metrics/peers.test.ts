import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FORGOTTEN, SILENT, openPeers, type Peers } from './peers.ts';
import { createWindows, type Windows } from './windows.ts';

describe('routers that share a state folder', () => {
  let stateDir: string;
  let at: number;
  const errors: object[] = [];
  const now = (): number => at;
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'peers-'));
    at = Date.now();
    errors.length = 0;
  });
  afterEach(() => rmSync(stateDir, { recursive: true }));

  const open = (): { peers: Peers; windows: Windows } => {
    const windows = createWindows({ now });
    const log = { error: (fields: object) => void errors.push(fields) };
    const peers = openPeers({ stateDir, windows, now, log });
    peers.exchange();
    return { peers, windows };
  };
  const note = (windows: Windows, requests: number): void =>
    windows.sample('images', {
      upstream: 'image-api',
      ok: true,
      milliseconds: 5,
      parity: 'match',
      count: requests,
    });
  const known = (windows: Windows): [number, number] => {
    const { sides, parity } = windows.compared('images', at - 60_000, at + 1000);
    return [sides['image-api']?.requests ?? 0, parity.match];
  };

  it('know what all of them measured, each thing once', () => {
    const all = [open(), open(), open()];
    for (let second = 0; second < 5; second++) {
      all.forEach(({ windows }, index) => note(windows, 10 ** index));
      at += 1000;
      for (const { peers } of all) peers.exchange();
    }
    for (const { peers } of all) peers.exchange();
    for (const { windows } of all) assert.deepEqual(known(windows), [555, 555]);
    assert.deepEqual(errors, []);
  });

  it('name one that says nothing, until it is forgotten, and take it back', () => {
    const [here, stopped] = [open(), open()];
    at += SILENT + 1;
    here.peers.exchange();
    const [name] = here.peers.silent();
    assert.match(name!, new RegExp(`\\.${process.pid}\\.`));
    at += FORGOTTEN;
    here.peers.exchange();
    assert.deepEqual(here.peers.silent(), []);
    assert.equal(readdirSync(join(stateDir, 'windows')).length, 1);
    stopped.peers.exchange();
    note(stopped.windows, 7);
    stopped.peers.exchange();
    here.peers.exchange();
    assert.deepEqual([known(here.windows)[0], here.peers.silent(), errors], [7, [], []]);
  });

  it('hear the last of one that leaves, and do not miss it', () => {
    const [here, leaving] = [open(), open()];
    leaving.peers.exchange();
    note(leaving.windows, 3);
    leaving.peers.close();
    at += SILENT + 1;
    here.peers.exchange();
    assert.deepEqual([known(here.windows)[0], here.peers.silent()], [3, []]);
  });

  it('write nothing while they are alone', () => {
    const { peers, windows } = open();
    note(windows, 1);
    peers.exchange();
    const [own] = readdirSync(join(stateDir, 'windows'));
    assert.deepEqual(readdirSync(join(stateDir, 'windows', own!)), ['alive']);
  });

  it('say once what keeps them from it, and go on', () => {
    const [here, other] = [open(), open()];
    other.peers.exchange();
    const [first, second] = readdirSync(join(stateDir, 'windows'));
    for (const name of [first, second]) writeFileSync(join(stateDir, 'windows', name!, '1'), '{');
    here.peers.exchange();
    here.peers.exchange();
    assert.equal(errors.length, 1);
    note(other.windows, 2);
    other.peers.exchange();
    note(other.windows, 2);
    other.peers.exchange();
    here.peers.exchange();
    assert.ok(known(here.windows)[0] > 0);
  });
});
