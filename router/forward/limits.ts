/** What the data path takes from clients and upstreams. Bytes and milliseconds. */
export interface Limits {
  /** Connections from clients; one more is answered 503 and closed. */
  readonly connections: number;
  /** Longest request head. */
  readonly headBytes: number;
  /** From the first byte of a request (or from connecting) to the end of its head. */
  readonly headMs: number;
  /** How long a connection may wait for its next request. */
  readonly idleMs: number;
  /** In each such span of a request body … */
  readonly bodyWindowMs: number;
  /** … at least so many bytes must come, else the request is answered 408. */
  readonly bodyWindowBytes: number;
  /** Longest time that a client may leave what was written to it unread. */
  readonly slowReaderMs: number;
  /** How long a closing connection still reads, so that the client gets its answer before a reset. */
  readonly lingerMs: number;
  /** Longest head of an upstream's answer. */
  readonly answerHeadBytes: number;
  /** Longest silence of an upstream in the middle of an answer (events are silent for long). */
  readonly answerIdleMs: number;
  /** Longest trailer section, and chunk extension of one chunk. */
  readonly trailerBytes: number;
  /** Bytes that a client may send ahead of its answers before it is no longer read. */
  readonly pipelineBytes: number;
  /** Bytes of request bodies that may lie on the disk at the same time, because they may have to be sent again. */
  readonly spoolBytes: number;
  /** Unused connections kept to one instance of an upstream. */
  readonly idleSockets: number;
  /** While draining: how long an idle connection may still bring its last request. */
  readonly drainGraceMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  connections: 10_000,
  headBytes: 16 * 1024,
  headMs: 10_000,
  idleMs: 75_000,
  bodyWindowMs: 10_000,
  bodyWindowBytes: 1024,
  slowReaderMs: 15_000,
  lingerMs: 5000,
  answerHeadBytes: 64 * 1024,
  answerIdleMs: 300_000,
  trailerBytes: 8 * 1024,
  pipelineBytes: 64 * 1024,
  spoolBytes: 2 * 1024 * 1024 * 1024,
  idleSockets: 256,
  drainGraceMs: 2000,
};
