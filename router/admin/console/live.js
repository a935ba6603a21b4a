// @ts-check
import { effect, signal } from '@preact/signals';
import { ask, signedIn } from './ask.js';
import { keep } from './history.js';

/** @import { FeatureJson, LiveJson, StatusJson } from '../protocol.ts' */

/** The newest numbers; null before the first. */
export const live = signal(/** @type {LiveJson | null} */ (null));
/** Features as the API shows them, with the ETags that changes are sent with; null before the first answer. */
export const features = signal(/** @type {readonly FeatureJson[] | null} */ (null));
export const status = signal(/** @type {StatusJson | null} */ (null));
export const connection = signal(/** @type {'connecting' | 'live' | 'lost'} */ ('connecting'));

/** Reads features and status anew. What can't be read stays as it was: the connection says that it is lost. */
export async function refresh() {
  try {
    const answer = /** @type {StatusJson} */ (await ask('/api/status'));
    status.value = answer;
    features.value = answer.features;
  } catch {
    // Not signed in any more, or not reachable; both are shown already.
  }
}

/** What makes the features worth reading again: a kill in the state folder, say, swaps no file. */
let seen = '';

/** @param {LiveJson} next */
function take(next) {
  live.value = next;
  keep(next);
  const state = JSON.stringify([next.journal, next.config, next.features.map(viewOf)]);
  if (state !== seen) void refresh();
  seen = state;
}

/** @param {LiveJson['features'][number]} feature */
function viewOf({ name, stage, percent, state, ramp }) {
  return [name, stage, percent, state, ramp.state];
}

/** Listens for as long as there is a session. EventSource connects again by itself, except after an answer that is not 200. */
effect(() => {
  if (signedIn.value !== true) return;
  /** @type {EventSource | undefined} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let isOver = false;
  // The charts begin with what was before; without it they begin empty.
  const begin = () =>
    void ask('/api/history')
      .then(({ moments }) => moments.forEach(keep))
      .catch(() => {})
      .then(() => isOver || connect());
  const connect = () => {
    source = new EventSource('/api/events');
    source.addEventListener('open', () => {
      connection.value = 'live';
      void refresh();
    });
    source.addEventListener('live', ({ data }) => take(JSON.parse(data)));
    source.addEventListener('change', () => void refresh());
    source.addEventListener('error', () => {
      connection.value = 'lost';
      if (source?.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(begin, 3000);
      // Refused for good when the session is over: asking anything says so.
      void refresh();
    });
  };
  connection.value = 'connecting';
  begin();
  return () => {
    isOver = true;
    clearTimeout(timer);
    source?.close();
    live.value = features.value = status.value = null;
  };
});
