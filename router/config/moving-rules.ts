import { parseTemplate } from '../request/template.ts';
import type { FeatureConfig } from './schema.ts';

/**
 * What a feature needs whose rows move: its writes go to the home of what they write, which is told by a segment of their path. Routes that name it
 * nowhere (`PATCH /images/{id}`) are tried at the side that most writes go to; so that those are few, every route that can name it must.
 */
export function checkMoving(
  name: string,
  feature: FeatureConfig,
  fault: (path: readonly PropertyKey[], message: string) => void,
): void {
  const { routes } = feature;
  const entities = new Set(routes.flatMap(({ entity }) => entity ?? []));
  const writes = routes.filter(({ effect }) => effect === 'write');
  if (writes.length > 0 && writes.every(({ entity }) => entity === undefined))
    fault(
      ['features', name, 'data'],
      'the data moves, but no write says what it belongs to; give the routes that name it an entity, as in "POST /products/{product}/images" with entity: product',
    );
  routes.forEach(({ match, effect, entity }, index) => {
    const template = parseTemplate(match);
    if (effect !== 'write' || typeof template === 'string') return;
    const named = template.names.find((parameter) => entities.has(parameter));
    if (entity === undefined && named !== undefined)
      fault(
        ['features', name, 'routes', index],
        `the data moves, and "${match}" names what it writes; say entity: ${named}`,
      );
  });
}
