// @ts-check
import { signal } from '@preact/signals';

/** Whether the browser holds an open session; null until the first answer. */
export const signedIn = signal(/** @type {boolean | null} */ (null));

/** Who is named in the journal for changes made here. */
export const person = signal(localStorage.getItem('person') ?? '');

/** An answer that is not 2xx, as problem+json (RFC 9457) tells it. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {{ detail?: string, code?: string }} problem
   */
  constructor(status, problem) {
    super(problem.detail ?? `the router answered ${status}`);
    this.status = status;
    this.code = problem.code ?? '';
  }
}

/**
 * Asks the admin port. Throws Refused when it says no, TypeError when it can't be reached.
 * @param {string} path
 * @param {{ method?: string, body?: unknown, ifMatch?: string }} [options]
 * @returns {Promise<any>} The JSON of the answer; null when it has none.
 */
export async function ask(path, { method = 'GET', body, ifMatch } = {}) {
  const response = await fetch(path, {
    method,
    headers: {
      'strangler-console': '1',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  const answer = isJson ? await response.json() : null;
  if (response.ok) return answer;
  if (response.status === 401 && path !== '/session') signedIn.value = false;
  throw new Refused(response.status, answer ?? {});
}

/** Asks whether there is a session already. */
export async function look() {
  signedIn.value = (await ask('/session')).signedIn;
}

/**
 * @param {string} token
 * @param {string} name
 */
export async function login(token, name) {
  await ask('/session', { method: 'POST', body: { token } });
  person.value = name.trim();
  localStorage.setItem('person', person.value);
  signedIn.value = true;
}

export async function logout() {
  await ask('/session', { method: 'DELETE' });
  signedIn.value = false;
}
