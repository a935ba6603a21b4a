import {
  KEYS,
  KEY_NAMES,
  SIDES,
  SIDE_NAMES,
  compareVersions,
  other,
  sameContent,
  type State,
} from './state.ts';

/** What is broken, as a sentence; null when the state, and the step that led to it, are right. */
export function violation(before: State | null, state: State): string | null {
  return (
    twoHomes(state) ??
    (before && fallen(before, state)) ??
    twoContents(state) ??
    lostWrite(state) ??
    falselyClean(state) ??
    overtaken(state)
  );
}

/** At most one home at any instant, in whatever order the two sides are asked. */
function twoHomes({ sides }: State): string | null {
  return sides[0].home === 0 && sides[1].home === 1 ? 'two homes' : null;
}

/** Versions rise with every write, and the epoch of a bucket never falls. */
function fallen(before: State, state: State): string | null {
  for (const key of KEYS) {
    const [was, is] = [before.issued[key].at(-1) ?? null, state.issued[key].at(-1) ?? null];
    if (is !== was && compareVersions(is, was) <= 0)
      return `a version of ${KEY_NAMES[key]} was issued that is not above the last one`;
  }
  for (const side of SIDES)
    if (state.sides[side].epoch < before.sides[side].epoch) return `the epoch of ${SIDE_NAMES[side]} fell`;
  return null;
}

/** A version has one content, at whichever side it is. */
function twoContents({ sides, issued }: State): string | null {
  for (const side of SIDES)
    for (const key of KEYS) {
      const row = sides[side].rows[key];
      if (row === null) continue;
      const original = issued[key].find((version) => compareVersions(version, row) === 0);
      if (original && !sameContent(row, original)) return `one version of ${KEY_NAMES[key]} has two contents`;
    }
  return null;
}

/** An acknowledged write is at its home; while no side is home, at the one that was fenced last. */
function lostWrite({ sides, acked, issued }: State): string | null {
  const home = SIDES.find((side) => sides[side].home === side);
  const fenced = SIDES.filter((side) => sides[side].moving);
  const last = Math.max(...fenced.map((side) => sides[side].epoch));
  const holders = home === undefined ? fenced.filter((side) => sides[side].epoch === last) : [home];
  if (holders.length === 0) return 'no side is home, and none is fenced';
  for (const key of KEYS) {
    const all = (1 << acked[key]) - 1;
    // Nothing at all is what a deletion leaves.
    const nothing = issued[key].at(-1)?.deleted ? all : 0;
    if (holders.every((side) => ((sides[side].rows[key]?.writes ?? nothing) & all) !== all))
      return `an acknowledged write of ${KEY_NAMES[key]} is lost, it is not at ${holders.map((side) => SIDE_NAMES[side]).join(' or ')}`;
  }
  return null;
}

/** A row that is marked and not dirty is over there too, as it is here or newer. */
function falselyClean({ sides }: State): string | null {
  for (const side of SIDES)
    for (const key of KEYS) {
      const row = sides[side].rows[key];
      if (row && row.epoch > 0 && !row.dirty && compareVersions(sides[other(side)].rows[key], row) < 0)
        return `${KEY_NAMES[key]} is clean at ${SIDE_NAMES[side]}, but ${SIDE_NAMES[other(side)]} does not have it`;
    }
  return null;
}

/** What is dirty here is not older than what is over there: a side that was not the home made no version. */
function overtaken({ sides }: State): string | null {
  for (const side of SIDES)
    for (const key of KEYS) {
      const row = sides[side].rows[key];
      if (row?.dirty && compareVersions(row, sides[other(side)].rows[key]) < 0)
        return `${KEY_NAMES[key]} is dirty at ${SIDE_NAMES[side]}, but ${SIDE_NAMES[other(side)]} has a newer version`;
    }
  return null;
}

/** For states in which nothing goes on by itself: both sides are equal, agree on the home, and nothing is half done. */
export function unrest({ sides: [old, now] }: State): string | null {
  if (old.home !== now.home || old.epoch !== now.epoch || old.moving || now.moving)
    return 'at rest the sides do not agree on the home';
  for (const key of KEYS) {
    const [a, b] = [old.rows[key], now.rows[key]];
    if (a?.dirty || b?.dirty) return `at rest ${KEY_NAMES[key]} is dirty`;
    if (a === null && b === null) continue;
    if (!a || !b || compareVersions(a, b) !== 0 || !sameContent(a, b))
      return `at rest ${KEY_NAMES[key]} differs`;
  }
  return null;
}
