import express from 'express';
import { Problem } from '../errors.ts';
import type { Current } from '../flags/current.ts';
import type { Shadow } from '../shadow/shadow.ts';
import { SIDES, type Side } from '../shadow/pictures.ts';
import type { Mismatch } from '../shadow/mismatches.ts';
import type { MismatchJson, ParityJson } from './protocol.ts';

export interface ParityParts {
  readonly current: Pick<Current, 'snapshot'>;
  readonly shadow: Pick<Shadow, 'parity' | 'pictures'>;
}

/** How far the two sides of a feature agree, and the pictures that they don't agree on. */
export function parityRoutes({ current, shadow }: ParityParts): express.Router {
  const router = express.Router();
  const known = (name: string): string => {
    if (!current.snapshot().features.has(name))
      throw new Problem('NOT_FOUND', `there is no feature "${name}"`);
    return name;
  };
  router.get('/api/features/:name/parity', (request, response) => {
    const name = known(request.params.name);
    const { counts, dropped, mismatches } = shadow.parity.of(name);
    const feature = current.snapshot().features.get(name)!;
    response.json({
      counts,
      dropped: Object.values(dropped).reduce((sum, count) => sum + count, 0),
      droppedBy: dropped,
      sample: feature.config.shadow?.sample ?? null,
      mismatches: mismatches.map((mismatch) => mismatchJson(name, mismatch)),
    } satisfies ParityJson);
  });
  router.get('/api/features/:name/parity/:id/:side', (request, response, next) => {
    const name = known(request.params.name);
    const { id } = request.params;
    const side = SIDES.find((each) => each === request.params.side);
    const mismatch = shadow.parity.find(name, id);
    if (!mismatch?.hasPictures || side === undefined)
      throw new Problem('NOT_FOUND', `there is no picture "${request.params.side}" of the mismatch "${id}"`);
    response.sendFile(shadow.pictures.path(id, side), { dotfiles: 'allow', cacheControl: false }, (error) => {
      // Pushed out of the list just now.
      if (error) next(new Problem('NOT_FOUND', `the pictures of the mismatch "${id}" are not kept any more`));
    });
  });
  return router;
}

function mismatchJson(feature: string, mismatch: Mismatch): MismatchJson {
  const { hasPictures, ...rest } = mismatch;
  if (!hasPictures) return rest;
  const url = (side: Side): string =>
    `/api/features/${encodeURIComponent(feature)}/parity/${mismatch.id}/${side}`;
  return {
    ...rest,
    images: { primary: url('primary'), shadow: url('shadow'), difference: url('difference') },
  };
}
