import type { Logger } from 'pino';
import type { Observation } from '../forward/plan.ts';
import type { Decision } from '../request/decide.ts';

/**
 * One line a request, as `log.requests` says: none, errors (the router's own answers, 5xx, cut ones, and whatever needed the fallback) or
 * all. Neither query nor headers are logged: they carry what is nobody's business.
 */
export function createRequestLog(
  log: Pick<Logger, 'info' | 'warn'>,
  level: () => 'none' | 'errors' | 'all',
): (observation: Observation) => void {
  return (observation) => {
    const wanted = level();
    if (wanted === 'none') return;
    const { route, status, answeredBy, own } = observation;
    const isError =
      status >= 500 ||
      observation.aborted ||
      answeredBy === null ||
      own?.failure != null ||
      (own?.status ?? 0) >= 500;
    if (wanted === 'errors' && !isError) return;
    const decision = (route?.decision ?? null) as Decision | null;
    const fields = {
      id: observation.requestId,
      method: observation.method,
      path: observation.path,
      status,
      feature: decision?.feature ?? null,
      side: route?.upstream ?? null,
      reason: decision?.reason ?? 'NO_ROUTE',
      answeredBy,
      ...(own?.failure ? { failure: own.failure } : {}),
      ms: Math.round(observation.milliseconds * 10) / 10,
      ...(observation.aborted ? { aborted: true } : {}),
    };
    if (isError) log.warn(fields, 'request');
    else log.info(fields, 'request');
  };
}
