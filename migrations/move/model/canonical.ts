import type { Answer, Mover, Row, Rows, State, Worker, Writer } from './state.ts';

/**
 * One text for all states that differ only by which key, which writer, which worker and which mover is which: no step knows them by name, so what holds
 * for one holds for the others. Processes are sorted, keys are tried both ways, and the smaller text is taken.
 */
export function canonicalKey(state: State): string {
  // What the keys hold differs mostly, and then it tells the order: one text less to make.
  const [a, b] = [contentCode(state, 0), contentCode(state, 1)];
  if (a !== b) return encoded(state, a < b ? 0 : 1);
  const straight = encoded(state, 0);
  const swapped = encoded(state, 1);
  return straight < swapped ? straight : swapped;
}

function contentCode({ sides, acked, issued }: State, key: 0 | 1): string {
  return `${code(acked[key])}${rowCode(sides[0].rows[key])}${rowCode(sides[1].rows[key])}${issued[key].length}`;
}

/** `swap` 1 gives each key the other's name. */
function encoded(state: State, swap: 0 | 1): string {
  const first = swap;
  const second = swap === 0 ? 1 : 0;
  const rows = (pair: Rows): string => rowCode(pair[first]) + rowCode(pair[second]);
  const issued = (versions: readonly Row[]): string => `${versions.map(rowCode).join('')};`;
  let text = '';
  for (const { home, epoch, moving, rows: here, disk } of state.sides)
    text += answerCode({ home, epoch, moving }) + rows(here) + (disk ? `d${rows(disk)}` : '');
  text +=
    code(state.acked[first]) +
    code(state.acked[second]) +
    issued(state.issued[first]) +
    issued(state.issued[second]);
  return (
    text +
    sorted(writerCode(state.writers[0], swap), writerCode(state.writers[1], swap)) +
    sorted(workerCode(state.workers[0], swap), workerCode(state.workers[1], swap)) +
    sorted(moverCode(state.movers[0]), moverCode(state.movers[1]))
  );
}

function sorted(a: string, b: string): string {
  return a < b ? `|${a},${b}` : `|${b},${a}`;
}

function code(number: number): string {
  return String.fromCharCode(0x30 + number);
}

function answerCode({ home, epoch, moving }: Answer): string {
  return code(home + 2 * Number(moving) + 4 * epoch);
}

/** Two characters, above those of everything else: the version, then the content. */
function rowCode(row: Row | null): string {
  if (row === null) return '-';
  return String.fromCharCode(
    0x100 + row.epoch * 32 + row.n,
    0x100 + row.writes * 4 + Number(row.deleted) * 2 + Number(row.dirty),
  );
}

function writerCode(writer: Writer, swap: 0 | 1): string {
  if (writer.at === 'idle') return '.';
  if (writer.at === 'begun') return `b${code(writer.side)}${code(writer.epoch)}`;
  return `w${code(writer.side)}${code(writer.key ^ swap)}${rowCode(writer.row)}`;
}

function workerCode(worker: Worker, swap: 0 | 1): string {
  if (worker.at === 'idle') return '.';
  return `${worker.at[0]}${code(worker.from)}${code(worker.key ^ swap)}${rowCode(worker.row)}`;
}

function moverCode(mover: Mover): string {
  return mover.at === 'idle'
    ? '.'
    : `${mover.at.slice(0, 2)}${code(mover.from)}${code(mover.epoch)}${mover.at === 'answered' ? answerCode(mover.answer) : ''}`;
}
