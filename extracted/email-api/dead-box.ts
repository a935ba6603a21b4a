/** A job that nobody tries any more. */
export interface DeadLetter {
  /** The mail's Message-ID; what the queue calls the job where the job has none. */
  readonly id: string;
  readonly error: string;
  /** How often it was taken. */
  readonly attempts: number;
  /** When it died; null where the queue does not say. */
  readonly at: Date | null;
}

/** Which dead letters: those with the id, or all. */
export type Choice = { readonly id: string } | 'all';

/** The dead letters of a queue. */
export interface DeadBox {
  /** The oldest first, `most` at the most. */
  list(most: number): Promise<DeadLetter[]>;
  /** Puts the chosen ones back into the queue, as jobs that were never taken; each once. Answers how many. */
  replay(choice: Choice): Promise<number>;
  /** Removes the chosen ones for good. Answers how many. */
  discard(choice: Choice): Promise<number>;
  close(): Promise<void>;
}

/** Whether somebody means this letter. The brackets are a nuisance in a shell. */
export function isChosen(choice: Choice, id: string): boolean {
  return choice === 'all' || choice.id === id || `<${choice.id}>` === id;
}

/** The id that a job gives itself; null where it gives none. */
export function idIn(body: unknown): string | null {
  const { id } = (typeof body === 'object' && body !== null ? body : {}) as { id?: unknown };
  return typeof id === 'string' && id !== '' ? id : null;
}
