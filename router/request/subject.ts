import type { RouteConfig } from '../config/schema.ts';
import { parseTemplate, type Template } from './template.ts';

/**
 * Names the thing that a request of a route is about: the segment that the route calls its `entity`, else the whole path (`/images/7` always
 * belongs to the same product, though it does not say which). Made once a route; the returned function takes a canonical path.
 */
export function subjectOf({
  match,
  entity,
}: Pick<RouteConfig, 'match' | 'entity'>): (path: string) => string {
  if (entity === undefined) return (path) => path;
  const { segments, names } = parseTemplate(match) as Template;
  let parameter = names.indexOf(entity);
  const position = segments.findIndex((segment) => segment === null && parameter-- === 0);
  return (path) => `${entity}:${path.split('/')[position + 1] ?? ''}`;
}
