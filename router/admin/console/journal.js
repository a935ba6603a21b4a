// @ts-check
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ask } from './ask.js';
import { html } from './html.js';
import { features, live } from './live.js';
import * as numbers from './numbers.js';
import { linkTo } from './route.js';

/** @import { JournalJson } from '../protocol.ts' */
/** @typedef {JournalJson['entries'][number]} Entry */

/** Entries read at once. */
const PAGE = 50;

/** The journal: who changed what, when and why. */
export function Journal() {
  const feature = useSignal('');
  const limit = useSignal(PAGE);
  return html`<section class="card" aria-label="Journal">
    <div class="feature-head">
      <h2>Journal</h2>
      <label class="inline"
        >Feature
        <select
          value=${feature.value}
          onChange=${(/** @type {any} */ event) => (feature.value = event.target.value)}
        >
          <option value="">all</option>
          ${(features.value ?? []).map(({ name }) => html`<option value=${name}>${name}</option>`)}
        </select>
      </label>
    </div>
    <${Entries}
      feature=${feature.value}
      limit=${limit.value}
      isNamed=${true}
      onMore=${() => (limit.value += PAGE)}
    />
  </section>`;
}

/**
 * The newest entries, read again when there is a new one.
 * @param {{ feature: string, limit: number, isNamed?: boolean, onMore?: () => void }} props
 */
export function Entries({ feature, limit, isNamed = false, onMore }) {
  const journal = useSignal(/** @type {JournalJson | null} */ (null));
  const newest = live.value?.journal ?? null;
  useEffect(() => {
    let isOver = false;
    const query = new URLSearchParams({ limit: String(limit), ...(feature ? { feature } : {}) });
    ask(`/api/journal?${query}`).then(
      (answer) => void (isOver || (journal.value = answer)),
      () => {},
    );
    return () => (isOver = true);
  }, [feature, limit, newest]);
  if (journal.value === null) return html`<p class="hint">Asking the router …</p>`;
  const { entries, total } = journal.value;
  if (entries.length === 0) return html`<p class="hint">Nothing has been changed yet.</p>`;
  return html`<ol class="entries">
      ${entries.map((entry) => html`<${Line} key=${entry.id} entry=${entry} isNamed=${isNamed} />`)}
    </ol>
    ${onMore && total > entries.length ? html`<button onClick=${onMore}>Older ones (${total - entries.length})</button>` : null}`;
}

/** @param {{ entry: Entry, isNamed: boolean }} props */
function Line({ entry, isNamed }) {
  const { at, action, who, why, before, after } = entry;
  const isMove = 'move' in entry;
  const [from, to] = [before, after].map((each) => (each === null ? null : view(each)));
  const measured = isMove ? null : entry.numbers;
  return html`<li>
    <time datetime=${at}>${numbers.moment(at)}</time>
    <p class="entry-what">
      ${isMove ? `move ${entry.move} ` : isNamed ? html`<a href=${linkTo(entry.feature)}>${entry.feature}</a> ` : null}<b>${action}</b> by ${who}
      ${!isMove && entry.ungated ? html` <span class="mark warn">ungated</span>` : null}
      <span class="hint change"
        >${from === null || from === to ? null : html`${from} <span aria-label="to">→</span> `}${to}</span
      >
    </p>
    <p class="why">${why}</p>
    ${
      measured == null
        ? null
        : html`<details>
            <summary>numbers</summary>
            <pre>${JSON.stringify(measured, null, 1)}</pre>
          </details>`
    }
  </li>`;
}

/** @param {NonNullable<Entry['after']>} view */
function view(view) {
  if ('phase' in view)
    return `${view.phase}, ${view.percent} % wanted${view.corrupt === null ? '' : ', sides differ'}`;
  const { stage, percent, state, ramp } = view;
  return [
    `${stage}${percent === null ? '' : ` ${percent} %`}`,
    state === 'DISABLED' ? 'killed' : null,
    ramp === 'none' ? null : `ramp ${ramp}`,
  ]
    .filter(Boolean)
    .join(', ');
}
