import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Figure } from './processes.ts';

/** Share of the machine's time from which on a round is disturbed, and how many rounds there may be for each that counts. */
const DISTURBED = 0.03;
const MOST = 3;
/** Rounds before the first that counts: code that nobody has run is not compiled yet. */
const WARMING = 2;

/** One contestant's turn. */
export type Measure = () => Promise<Figure>;

/** What was measured: for each contestant a figure a round; those of one round have the same place. */
export interface Rounds {
  readonly figures: ReadonlyMap<string, readonly Figure[]>;
  /** For the report. */
  readonly note: string;
}

/**
 * Measures all contestants in each round, so that what the machine does to one it does to all; the first two warm up. Of a virtual machine the host may take the
 * processor away, from whoever is at work: such rounds are measured again, and when there is no end to that, those count that lost least.
 */
export async function interleaved(who: Readonly<Record<string, Measure>>, rounds: number): Promise<Rounds> {
  const measured: { readonly figures: Record<string, Figure>; readonly stolen: number }[] = [];
  const quiet = (): number => measured.filter(({ stolen }) => stolen < DISTURBED).length;
  for (let round = -WARMING; quiet() < rounds && measured.length < MOST * rounds; round++) {
    const figures: Record<string, Figure> = {};
    const [before, start] = [stolenSoFar(), performance.now()];
    for (const [each, measure] of turned(Object.entries(who), round + WARMING))
      figures[each] = await measure();
    const time = (performance.now() - start) * availableParallelism();
    if (round >= 0) measured.push({ figures, stolen: (stolenSoFar() - before) / time });
  }
  const counted = measured.toSorted((one, other) => one.stolen - other.stolen).slice(0, rounds);
  const worst = (100 * counted.at(-1)!.stolen).toFixed(1);
  return {
    figures: new Map(Object.keys(who).map((each) => [each, counted.map(({ figures }) => figures[each]!)])),
    note: `${rounds} of ${measured.length} rounds count, in which the host took at most ${worst} % of the time`,
  };
}

/** Milliseconds that the host has given to others while something here wanted to run, of all processors (proc_stat(5): steal, in hundredths of a second). */
function stolenSoFar(): number {
  return Number(/^cpu +(?:\d+ ){7}(\d+)/.exec(readFileSync('/proc/stat', 'utf8'))![1]) * 10;
}

/** Who comes first comes last the next time: what one leaves behind (dirty pages, a warm core) the next one meets. */
function turned<T>(all: readonly T[], round: number): T[] {
  const first = round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}
