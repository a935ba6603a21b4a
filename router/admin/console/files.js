// @ts-check
import { html } from './html.js';
import { status } from './live.js';
import * as numbers from './numbers.js';

/** @import { StatusJson } from '../protocol.ts' */

/** Whether what lies on the disk is what serves. */
export function Files() {
  if (status.value === null) return html`<p class="wait">Asking the router …</p>`;
  const { config, flags, version, connections, uptimeSeconds } = status.value;
  return html`<${File} name="Config" file=${config} /><${File}
      name="Flags"
      file=${flags}
      stale=${flags.stale ? `Not heard of since ${new Date(flags.staleSince ?? '').toLocaleTimeString('en-GB')}: the last known flags serve, changes are refused. Kill works all the same, in this router. (${flags.staleWhy})` : null}
      note=${flags.writable ? null : 'Read only here (writable: false): shares and stages are changed where the file comes from. Kill works all the same.'}
    />
    <section class="card" aria-label="Router">
      <h2>Router</h2>
      <dl class="facts">
        <dt>Serving version</dt>
        <dd><code>${version}</code></dd>
        <dt>Client connections</dt>
        <dd>${numbers.count(connections)}</dd>
        <dt>Running for</dt>
        <dd>${numbers.duration(uptimeSeconds)}</dd>
      </dl>
    </section>`;
}

/** @param {{ name: string, file: StatusJson['config'], note?: string | null, stale?: string | null }} props */
function File({ name, file: { file, state, version, faults }, note = null, stale = null }) {
  return html`<section class="card" aria-label=${name}>
    <div class="feature-head">
      <h2>${name}</h2>
      <span class=${`mark ${state === 'applied' ? 'good' : 'bad'}`}>${state}</span>
      ${stale ? html`<span class="mark bad">stale</span>` : null}
    </div>
    <dl class="facts">
      <dt>File</dt>
      <dd><code>${file}</code></dd>
      <dt>Version in force</dt>
      <dd><code>${version}</code></dd>
    </dl>
    ${stale ? html`<p role="status">${stale}</p>` : null}
    ${note ? html`<p class="hint">${note}</p>` : null}
    ${
      faults.length === 0
        ? null
        : html`<p>The newest text is not applied; the last good one stays in force.</p>
            <ul class="faults">
              ${faults.map(({ line, path, message }) => html`<li>${line === null ? null : html`<b>line ${line}</b> `}${path ? html`<code>${path}</code> ` : null}${message}</li>`)}
            </ul>`
    }
  </section>`;
}
