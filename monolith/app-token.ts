import { readFile } from 'node:fs/promises';

/** What this application says who it is with, at the router's admin port. */
export interface AppToken {
  /** Rejects with a sentence that says what to do while there is none. */
  read(): Promise<string>;
  /** The router did not take it: it is read anew. */
  forget(): void;
}

/** The token of STRANGLER_APP_TOKEN (`given`), else of `file`, which the router makes at its first start: that may be after ours, so it is read when it is needed. */
export function appToken(given: string | null, file: string): AppToken {
  let known = given;
  return {
    async read() {
      known ??= await readFile(file, 'utf8').then(
        (text) => text.trim() || null,
        () => null,
      );
      if (known === null)
        throw new Error(
          `there is no application token: set STRANGLER_APP_TOKEN, or let ${file} be the router's app-token`,
        );
      return known;
    },
    forget() {
      known = given;
    },
  };
}
