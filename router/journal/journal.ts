import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';

/** State of a feature as the journal shows it before and after a change. */
export interface FeatureView {
  readonly stage: string;
  readonly percent: number | null;
  readonly state: string;
  readonly ramp: string;
}

/** One change of one feature, as the API lists it. */
export interface Entry {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly feature: string;
  readonly action: string;
  /** `api`, `cli`, a name the caller gave, or `file` for an edit by hand. */
  readonly who: string;
  readonly why: string;
  readonly before: FeatureView | null;
  readonly after: FeatureView;
  /** Of the whole flag after the change, rules for cohorts included. */
  readonly fingerprint: string;
  /** True for a shift past the gates. */
  readonly ungated: boolean;
  /** What the gates measured, when they were asked. */
  readonly numbers: unknown;
  /** Of a kill, and its end, in the state folder of one of several routers: which one. It holds there alone, and the flag is as it was. */
  readonly router?: string;
}

/** A move of data as the journal shows it before and after something happened to it. */
export interface MoveView {
  readonly phase: string;
  /** Wanted share of the buckets at the new side. */
  readonly percent: number;
  /** What a verification found and nobody took away; null: nothing. */
  readonly corrupt: string | null;
}

/** Something that happened to a move of data: told by its runner or by a person, and made by neither through this router. */
export interface MoveEntry {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly move: string;
  readonly action: string;
  /** `mover` for what its runner told. */
  readonly who: string;
  readonly why: string;
  /** null: not known. */
  readonly before: MoveView | null;
  readonly after: MoveView | null;
}

/**
 * A line of the file. A change is an `intent` before the flag is swapped and a `done` after it, or an `aborted` when it was not made; so a
 * crash in between is told apart from both. `flags` are versions of the flag file, for that.
 */
export type Line =
  | {
      readonly kind: 'intent';
      readonly entry: Entry;
      readonly flags: { readonly before: string; readonly after: string };
    }
  | { readonly kind: 'done'; readonly id: string }
  | { readonly kind: 'move'; readonly entry: MoveEntry }
  | { readonly kind: 'aborted'; readonly id: string; readonly reason: string };

export interface Journal {
  /** Returns when the line is on the disk. */
  append(line: Line): void;
  /** Changes that were made to features, oldest first. */
  entries(): readonly Entry[];
  /** These and what happened to moves, oldest first. */
  history(): readonly (Entry | MoveEntry)[];
  /** Intents that are neither done nor aborted: a crash came in between. */
  open(): readonly Extract<Line, { kind: 'intent' }>[];
  close(): void;
}

/**
 * Opens the append-only history of changes, one JSON object a line. A last line that was cut by a crash was never acknowledged, so it is
 * removed. Throws on any other line that can't be read: history is not repaired by guessing. Routers that share a state folder append to one
 * file, so what is known is always read from there, the own lines too: everybody sees one order.
 */
export function openJournal(path: string): Journal {
  const file = openSync(path, 'a+', 0o600);
  const text = readFileSync(path, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) ftruncateSync(file, Buffer.byteLength(whole));
  const intents = new Map<string, Extract<Line, { kind: 'intent' }>>();
  const done: Entry[] = [];
  const history: (Entry | MoveEntry)[] = [];
  /** A router that starts may give up what another one is just doing; who made a change has the last word. */
  const givenUp = new Map<string, Extract<Line, { kind: 'intent' }>>();
  const take = (line: Line): void => {
    if (line.kind === 'intent') intents.set(line.entry.id, line);
    else if (line.kind === 'move') history.push(line.entry);
    else {
      const intent = intents.get(line.id) ?? givenUp.get(line.id);
      if (intent && line.kind === 'done') {
        done.push(intent.entry);
        history.push(intent.entry);
      }
      if (intent && line.kind === 'aborted') givenUp.set(line.id, intent);
      else givenUp.delete(line.id);
      intents.delete(line.id);
    }
  };
  let lines = 0;
  const read = (text: string): void => {
    for (const line of text.split('\n').slice(0, -1)) {
      lines += 1;
      if (line === '') continue;
      try {
        take(JSON.parse(line) as Line);
      } catch {
        throw new Error(
          `${path}:${lines}: this line of the journal is damaged; restore the file, or move it away to begin a new one`,
        );
      }
    }
  };
  try {
    read(whole);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  let known = Buffer.byteLength(whole);
  /** Reads what has been appended since, up to the last whole line. */
  const catchUp = (): void => {
    const { size } = fstatSync(file);
    if (size <= known) return;
    const more = Buffer.alloc(size - known);
    const end = more.subarray(0, readSync(file, more, 0, more.length, known)).lastIndexOf(10) + 1;
    known += end;
    read(more.toString('utf8', 0, end));
  };
  return {
    append(line) {
      writeSync(file, `${JSON.stringify(line)}\n`);
      fsyncSync(file);
      catchUp();
    },
    entries() {
      catchUp();
      return done;
    },
    history() {
      catchUp();
      return history;
    },
    open() {
      catchUp();
      return [...intents.values()];
    },
    close: () => closeSync(file),
  };
}
