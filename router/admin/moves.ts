import express, { type RequestHandler, type Router } from 'express';
import { MAX_REPORT_BODY, readNote, readReport, readRetry } from '../moves/report.ts';
import type { MoveJson, Moves } from '../moves/moves.ts';
import type { MoveSummaryJson, MovesJson } from './protocol.ts';

/** A move without its parked rows, for what is sent every second. */
export function summaryOf({ parked: _parked, ...rest }: MoveJson): MoveSummaryJson {
  return rest;
}

/**
 * What runners of moves tell, and what people ask of them. `PUT /api/moves/NAME` answers what waits for the runner: `{ retry: [key…] | "all" | null }`. Behind
 * `authorize`, with bodies of their own size.
 */
export function moveRoutes(moves: Moves, authorize: RequestHandler): Router {
  const routes = express.Router();
  const large = express.json({ limit: MAX_REPORT_BODY });
  const small = express.json({ limit: 16_384 });
  routes.get('/api/moves', authorize, (_request, response) => {
    response.json({ moves: moves.all() } satisfies MovesJson);
  });
  routes.get('/api/moves/:name', authorize, (request, response) => {
    response.json(moves.one(request.params['name'] as string));
  });
  routes.put('/api/moves/:name', authorize, large, (request, response) => {
    response.json(moves.report(request.params['name'] as string, readReport(request.body)));
  });
  routes.post('/api/moves/:name/retry', authorize, small, (request, response) => {
    const name = request.params['name'] as string;
    const { key, ...asked } = readRetry(request.body);
    moves.retry(name, key, asked);
    response.json(moves.one(name));
  });
  routes.post('/api/moves/:name/notes', authorize, small, (request, response) => {
    const { action, ...asked } = readNote(request.body);
    moves.note(request.params['name'] as string, action, asked);
    response.json({ noted: true });
  });
  return routes;
}
