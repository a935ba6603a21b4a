/** A statement of an SQL text: its first line (from 1) and its text without comments. */
export interface Statement {
  readonly line: number;
  readonly text: string;
}

/** What may hold a semicolon that ends nothing: literals (plain, with escapes, dollar-quoted) and quoted names. */
const QUOTED = [
  /[eE]'(?:[^'\\]|''|\\[^])*'/y,
  /'(?:[^']|'')*'/y,
  /"(?:[^"]|"")*"/y,
  /\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[^]*?\$\1\$/y,
];

/**
 * Splits an SQL text at its semicolons, by Postgres' rules for quotes and comments (manual, 4.1). Only for what we say about a file: the
 * text itself goes to the server whole.
 */
export function statementsOf(sql: string): Statement[] {
  const statements: Statement[] = [];
  let text = '';
  let start = 0;
  const end = (): void => {
    if (text.trim()) statements.push({ line: lineAt(sql, start), text: text.trim() });
    text = '';
  };
  for (let at = 0; at < sql.length;) {
    const quoted = matchAt(sql, at);
    const comment = commentLength(sql, at);
    const length = quoted?.length ?? Math.max(comment, 1);
    const piece = sql.slice(at, at + length);
    if (piece === ';') end();
    else {
      if (!text.trim() && comment === 0 && piece.trim()) start = at;
      text += comment > 0 ? ' ' : piece;
    }
    at += length;
  }
  end();
  return statements;
}

function matchAt(sql: string, at: number): string | undefined {
  // An e right after a letter is the end of a name, not the start of an escape string.
  const isInName = at > 0 && /[\w$]/.test(sql[at - 1]!);
  for (const pattern of isInName ? [QUOTED[1]!, QUOTED[2]!] : QUOTED) {
    pattern.lastIndex = at;
    const found = pattern.exec(sql);
    if (found) return found[0];
  }
  return undefined;
}

/** Characters of the comment that begins here, 0 when none does. Block comments nest in Postgres. */
function commentLength(sql: string, at: number): number {
  if (sql.startsWith('--', at)) {
    const end = sql.indexOf('\n', at);
    return (end < 0 ? sql.length : end) - at;
  }
  if (!sql.startsWith('/*', at)) return 0;
  let depth = 0;
  for (let here = at; here < sql.length; here += 1) {
    if (sql.startsWith('/*', here)) {
      depth += 1;
      here += 1;
    } else if (sql.startsWith('*/', here)) {
      depth -= 1;
      here += 1;
      if (depth === 0) return here + 1 - at;
    }
  }
  return sql.length - at;
}

/** The line, from 1, of a place in a text. */
export function lineAt(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}

/** The first statement that would end or begin a transaction, and with it what holds a file together. */
export function transactionControl(statements: readonly Statement[]): Statement | undefined {
  // Bodies of SQL functions (BEGIN ATOMIC … END) hold semicolons, so their END looks like a statement.
  const hasBody = statements.some(({ text }) => /\bbegin\s+atomic\b/i.test(text));
  return statements.find(
    ({ text }) =>
      /^(begin|commit|rollback|abort|start\s+transaction|prepare\s+transaction)\b/i.test(text) ||
      (!hasBody && /^end\b/i.test(text)),
  );
}
