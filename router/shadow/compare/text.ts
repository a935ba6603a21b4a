import { shown, type Findings } from './difference.ts';
import { isSameInstant } from './instants.ts';

/** How far ahead the place is looked for where two texts agree again, in words. */
const AHEAD = 48;
/** Words in a row that must be the same there. */
const AGREEING = 3;
/** Words before and behind a difference that name its place. */
const BEFORE = 4;
const BEHIND = 2;

/**
 * Compares two texts word by word. A place is named by the words around it, so that what is noise on one page of a route is found on the
 * others, and in a page that is one long line too.
 */
export function compareText(primary: string, shadow: string, now: number, findings: Findings): void {
  const one = words(primary);
  const other = words(shadow);
  let a = 0;
  let b = 0;
  if (one.length === 0 && other.length === 0) findings.compared++;
  while (a < one.length || b < other.length) {
    if (findings.isFull) return;
    if (one[a] === other[b]) {
      findings.compared++;
      a++;
      b++;
      continue;
    }
    const [skipA, skipB] = resync(one, a, other, b);
    const left = one.slice(a, a + skipA).join(' ');
    const right = other.slice(b, b + skipB).join(' ');
    if (!isSameInstant(left, right, now)) {
      const before = one.slice(Math.max(0, a - BEFORE), a).join(' ');
      const behind = one.slice(a + skipA, a + skipA + BEHIND).join(' ');
      findings.add({
        kind: 'text',
        where: `${before} * ${behind}`,
        ...(skipA === 0 ? {} : { primary: shown(left) }),
        ...(skipB === 0 ? {} : { shadow: shown(right) }),
      });
    }
    a += skipA;
    b += skipB;
  }
}

/** Runs of letters, digits, `-` and `_` (an id is one word), and every other character but blanks alone. */
function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}_-]+|[^\s\p{L}\p{N}_-]/gu) ?? [];
}

/** How many words to leave out on each side until the texts agree again, the fewest in all; the rest of both when they don't. */
function resync(one: readonly string[], a: number, other: readonly string[], b: number): [number, number] {
  for (let sum = 1; sum <= 2 * AHEAD; sum++) {
    // A word for a word comes first: that is what an id or a price looks like.
    const half = Math.floor(sum / 2);
    for (let off = 0; off <= half; off++) {
      for (const skipA of off === 0 && sum % 2 === 0 ? [half] : [half + off, sum - half - off]) {
        const skipB = sum - skipA;
        if (skipA < 0 || skipB < 0 || skipA > AHEAD || skipB > AHEAD) continue;
        if (agree(one, a + skipA, other, b + skipB)) return [skipA, skipB];
      }
    }
  }
  return [one.length - a, other.length - b];
}

function agree(one: readonly string[], a: number, other: readonly string[], b: number): boolean {
  const isEnd = a >= one.length || b >= other.length;
  if (isEnd) return a >= one.length && b >= other.length;
  for (let step = 0; step < AGREEING; step++) {
    if (one[a + step] !== other[b + step]) return false;
    if (a + step >= one.length) return true;
  }
  return true;
}
