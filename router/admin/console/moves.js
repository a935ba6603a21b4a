// @ts-check
import { html } from './html.js';
import { features, live } from './live.js';
import { Parked, RetryDialog } from './parked.js';
import * as numbers from './numbers.js';

/** @import { FeatureJson, MoveSummaryJson } from '../protocol.ts' */

/** The way of a move, as people see it. */
const PHASES = /** @type {const} */ (['backfill', 'verify', 'ramp', 'soak', 'complete']);
/** Phases that need no runner any more. */
const OVER = ['complete', 'cancelled', 'contracted'];

/** @param {FeatureJson} feature @param {MoveSummaryJson} move */
function isOf({ default: fallback, upstream }, { sides: { from, to } }) {
  return (from === fallback && to === upstream) || (to === fallback && from === upstream);
}

/** Moves of data between the two upstreams of a feature. @param {FeatureJson} feature */
function movesOf(feature) {
  return (live.value?.moves ?? []).filter((move) => isOf(feature, move));
}

/** Those of one feature, a card each. @param {{ feature: FeatureJson }} props */
export function FeatureMoves({ feature }) {
  return movesOf(feature).map(
    (move) => html`<${Move} key=${move.name} move=${move} isBack=${move.sides.to === feature.default} />`,
  );
}

/** Those between upstreams that no feature has. */
export function OtherMoves() {
  return (live.value?.moves ?? [])
    .filter((move) => !(features.value ?? []).some((feature) => isOf(feature, move)))
    .map((move) => html`<${Move} key=${move.name} move=${move} />`);
}

/** What of a feature's moves must be seen from afar. @param {{ feature: FeatureJson }} props */
export function MoveBadges({ feature }) {
  return movesOf(feature).map((move) => html`<${Badges} key=${move.name} move=${move} isNamed=${true} />`);
}

/** @param {MoveSummaryJson} move */
const isSilent = ({ silentSince, phase }) => silentSince !== null && !OVER.includes(phase);

/** @param {MoveSummaryJson} move */
function parkedOf({ waiting }) {
  return Object.values(waiting).reduce((sum, { parked }) => sum + parked, 0);
}

/** @param {{ move: MoveSummaryJson, isNamed?: boolean }} props */
function Badges({ move, isNamed = false }) {
  const parked = parkedOf(move);
  return html`<span class="badges">
    ${isNamed ? html`<span class="mark">data: ${move.phase}${move.phase === 'ramp' ? ` ${numbers.share(move.buckets.atNew / move.buckets.all)}` : ''}</span>` : null}
    ${move.corrupt === null ? null : html`<span class="mark bad">sides differ</span>`}
    ${isSilent(move) ? html`<span class="mark warn">no runner</span>` : null}
    ${parked > 0 ? html`<span class="mark warn">${numbers.count(parked)} parked</span>` : null}
  </span>`;
}

/** A move of data: how far it is, and what somebody must look at. `isBack`: to the default upstream. @param {{ move: MoveSummaryJson, isBack?: boolean }} props */
function Move({ move, isBack = false }) {
  const { name, sides, phase, corrupt, silentSince } = move;
  return html`<section class="card wide move" aria-label=${`Move ${name}`}>
    <div class="feature-head">
      <h2>Data of ${name}</h2>
      <span class="hint">moves from ${sides.from} to ${sides.to}</span>
      <${Badges} move=${move} />
    </div>
    ${
      corrupt === null
        ? null
        : html`<div class="alarm" role="alert">
            <p><b>The sides differ.</b> No bucket changes its home any more.</p>
            <p><code>${corrupt}</code></p>
            <p class="hint">
              Find out why. Writing the row at its home sends it anew; then say${' '}<code>strangler move clear ${name} --why …</code>, and the next verification decides.
            </p>
          </div>`
    }
    ${
      isSilent(move)
        ? html`<p class="banner warn wide" role="status">
            No runner has been heard of since ${numbers.moment(silentSince ?? '')}: what is shown is as old as that.${' '}<code>strangler move run ${name}</code>${' '}goes on where it was.
          </p>`
        : null
    }
    ${
      phase === 'cancelled'
        ? html`<p>It was given up; ${sides.from} has everything.</p>`
        : html`<${Phases} phase=${phase} /><${Homes} move=${move} isBack=${isBack} />`
    }
    ${phase === 'backfill' ? html`<${Backfill} move=${move} />` : null}
    ${phase === 'cancelled' ? null : html`<${Ways} move=${move} isBack=${isBack} />`}
    ${parkedOf(move) > 0 ? html`<${Parked} move=${move} />` : null}
    <${RetryDialog} name=${name} />
  </section>`;
}

/** @param {{ phase: string }} props */
function Phases({ phase }) {
  const reached = PHASES.findIndex((each) => each === phase);
  return html`<ol class="track" aria-label=${`Phase: ${phase}`}>
    ${PHASES.map(
      (each, index) =>
        html`<li class=${index < reached ? 'past' : ''} aria-current=${index === reached ? 'step' : null}>
          ${each}
        </li>`,
    )}
  </ol>`;
}

/** Where the buckets are at home. @param {{ move: MoveSummaryJson, isBack: boolean }} props */
function Homes({ move: { sides, percent, buckets }, isBack }) {
  const { all, atOld, atNew, moving } = buckets;
  const way = moving > 0 ? `, ${moving} on their way` : '';
  return html`<div class="split">
    <div
      class=${`split-bar homes ${isBack ? 'back' : ''}`}
      role="img"
      aria-label=${`Buckets at home: ${sides.to} ${atNew}, ${sides.from} ${atOld}${way}; ${percent} % wanted at ${sides.to}`}
    >
      <span class="service" style=${{ width: `${(100 * atNew) / all}%` }}></span>
      <span class="moving" style=${{ width: `${(100 * moving) / all}%` }}></span>
    </div>
    <p class="split-text" aria-hidden="true">
      <span
        ><i class=${`dot ${isBack ? 'default' : 'service'}`}></i>writes at home in ${sides.to} <b>${numbers.share(atNew / all)}</b>
        <span class="hint"> ${`(${numbers.count(atNew)} buckets${way}, ${percent} % wanted)`}</span></span
      >
      <span><i class=${`dot ${isBack ? 'service' : 'default'}`}></i>${sides.from} <b>${numbers.share(atOld / all)}</b></span>
    </p>
  </div>`;
}

/** @param {{ move: MoveSummaryJson }} props */
function Backfill({ move: { rows, waiting, sides, rowsPerSecond, secondsLeft } }) {
  const arrived = Math.max(0, rows.known - (waiting[sides.from]?.rows ?? 0));
  return html`<div class="backfill">
    <progress max=${Math.max(1, rows.all)} value=${arrived} aria-label="Rows that have arrived"></progress>
    <p class="hint">
      ${numbers.count(Math.round(arrived))} of about ${numbers.count(Math.round(rows.all))} rows ·
      ${` ${numbers.count(Math.round(rowsPerSecond))} rows/s · `}${secondsLeft === null ? 'no end in sight' : `${numbers.duration(Math.ceil(secondsLeft))} left`}
    </p>
  </div>`;
}

/** What waits, in both directions. @param {{ move: MoveSummaryJson, isBack: boolean }} props */
function Ways({ move: { sides, waiting, verifiedAgo }, isBack }) {
  return html`<table class="sides">
      <caption class="unseen">
        Rows on their way
      </caption>
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col">backlog</th>
          <th scope="col">lag</th>
          <th scope="col">parked</th>
        </tr>
      </thead>
      <tbody>
        ${[sides.from, sides.to].map((side) => {
          const way = waiting[side];
          return html`<tr>
            <th scope="row">
              <i class=${`dot ${(side === sides.from) === isBack ? 'service' : 'default'}`}></i>${side}
            </th>
            <td data-figure=${`backlog ${side}`}>${numbers.count(way?.rows)}</td>
            <td>${numbers.milliseconds(way?.lag)}</td>
            <td class=${(way?.parked ?? 0) > 0 ? 'bad' : ''}>${numbers.count(way?.parked)}</td>
          </tr>`;
        })}
      </tbody>
    </table>
    <p class="hint">
      ${verifiedAgo === null ? 'Not verified yet.' : `All rows were compared ${numbers.duration(verifiedAgo / 1000)} ago, and nothing was found.`}
    </p>`;
}
