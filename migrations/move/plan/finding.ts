/** Something about the tables that a team must know before it moves them. */
export interface Finding {
  /** Whether the move is refused for it. */
  readonly refuses: boolean;
  /** Stable name, for scripts. */
  readonly rule: string;
  readonly side: string;
  /** What is there, and what would come of it. */
  readonly reason: string;
  /** What to do. */
  readonly remedy: string;
}

/** Makes the findings of one side. */
export function findingsOf(side: string): {
  readonly found: Finding[];
  refuse(rule: string, reason: string, remedy: string): void;
  note(rule: string, reason: string, remedy: string): void;
} {
  const found: Finding[] = [];
  const add =
    (refuses: boolean) =>
    (rule: string, reason: string, remedy: string): void =>
      void found.push({ refuses, rule, side, reason, remedy });
  return { found, refuse: add(true), note: add(false) };
}
