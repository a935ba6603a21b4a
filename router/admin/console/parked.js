// @ts-check
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Refused, ask, person } from './ask.js';
import { say } from './change.js';
import { html } from './html.js';
import * as numbers from './numbers.js';
import { WhyDialog } from './why.js';

/** @import { MoveJson, MoveSummaryJson } from '../protocol.ts' */

/** Milliseconds between two looks. The rows are no part of the events. */
const INTERVAL = 2000;

/** What is about to be tried again; `key` null: all rows. */
const wanted = signal(
  /** @type {{ name: string, key: string | null, opener: Element | null } | null} */ (null),
);
/** Counts up with every wish that was sent, so that the rows are read again. */
const sent = signal(0);

/** Rows that the other side could not take, and why. @param {{ move: MoveSummaryJson }} props */
export function Parked({ move: { name, waiting } }) {
  const move = useSignal(/** @type {MoveJson | null} */ (null));
  useEffect(() => {
    let isOver = false;
    const read = () =>
      document.hidden
        ? undefined
        : void ask(`/api/moves/${encodeURIComponent(name)}`).then(
            (answer) => void (isOver || (move.value = answer)),
            () => {},
          );
    read();
    const timer = setInterval(read, INTERVAL);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [name, sent.value]);
  if (move.value === null) return html`<p class="hint">Asking the router …</p>`;
  const { parked, retry } = move.value;
  const all = Object.values(waiting).reduce((sum, side) => sum + side.parked, 0);
  /** @param {string | null} key */
  const want = (key) => (wanted.value = { name, key, opener: document.activeElement });
  return html`<div class="parked">
    <div class="feature-head">
      <h3>Parked rows</h3>
      <span class="hint"
        >the other side could not take them; they are tried again by themselves, and hold the ramp
        back${all > parked.length ? `; the first ${parked.length} of ${numbers.count(all)}` : ''}</span
      >
      <button disabled=${retry === 'all'} aria-haspopup="dialog" onClick=${() => want(null)}>
        ${retry === 'all' ? 'Asked for' : 'Retry all'}
      </button>
    </div>
    <table class="instances">
      <caption class="unseen">
        Parked rows
      </caption>
      <thead>
        <tr>
          <th scope="col">Key</th>
          <th scope="col">at</th>
          <th scope="col" class="reason">Reason</th>
          <th scope="col">since</th>
          <th scope="col">next try</th>
          <th scope="col"><span class="unseen">Action</span></th>
        </tr>
      </thead>
      <tbody>
        ${parked.map(({ side, key, reason, since, retryAt }) => {
          const isAsked = retry === 'all' || (retry ?? []).includes(key);
          return html`<tr key=${`${side} ${key}`}>
            <th scope="row"><code>${key}</code></th>
            <td data-label="at">${side}</td>
            <td data-label="reason" class="reason">${reason}</td>
            <td data-label="since">${numbers.moment(since)}</td>
            <td data-label="next try">${numbers.time(retryAt)}</td>
            <td class="act">
              <button
                disabled=${isAsked}
                aria-haspopup="dialog"
                aria-label=${`Retry ${key}`}
                onClick=${() => want(key)}
              >
                ${isAsked ? 'Asked for' : 'Retry'}
              </button>
            </td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

/** Asks why before rows are tried again. @param {{ name: string }} props */
export function RetryDialog({ name }) {
  const wish = wanted.value;
  if (wish === null || wish.name !== name) return null;
  const what = wish.key === null ? `all parked rows of ${name}` : `row ${wish.key} of ${name}`;
  return html`<${WhyDialog}
    title=${`Retry ${what}`}
    consequence=${`The runner of the move tries ${what} at once. What the other side still can’t take is parked again; nothing is lost either way.`}
    label="Retry"
    opener=${wish.opener}
    onClose=${() => (wanted.value = null)}
    submit=${(/** @type {string} */ why) => send(wish, why, what)}
  />`;
}

/**
 * @param {{ name: string, key: string | null }} wish
 * @param {string} why
 * @param {string} what
 */
async function send({ name, key }, why, what) {
  const body = { why, key, ...(person.value ? { who: person.value } : { who: 'console' }) };
  try {
    await ask(`/api/moves/${encodeURIComponent(name)}/retry`, { method: 'POST', body });
  } catch (error) {
    return error instanceof Refused
      ? error.message
      : 'The router can’t be reached; nothing is known to have been asked for.';
  }
  sent.value++;
  wanted.value = null;
  say(`Retry: the runner is told to try ${what}.`);
  return null;
}
