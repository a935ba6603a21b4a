import type { MoveDescription } from '../move/description.ts';

/** The reviews' move, from the shop's table to a service's own. A line and an empty line at the beginning of a review are its title. */
const reviews: MoveDescription = {
  name: 'reviews',
  sides: { from: 'monolith', to: 'reviews-api' },
  fromTable: 'reviews',
  toTable: 'customer_reviews',
  key: ['id'],
  owner: 'product_id',
  newOnly: ['language'],

  up({ author, stars, body, created_at, ...same }) {
    const [, title = null, text = body!] = /^([^\n]*)\n\n([^]*)$/.exec(body!) ?? [];
    return { ...same, author_name: author!, rating: stars!, title, text, written_at: created_at! };
  },

  down({ author_name, rating, title, text, written_at, ...same }) {
    const body = typeof title === 'string' ? `${title}\n\n${text}` : text!;
    return { ...same, author: author_name!, stars: rating!, body, created_at: written_at! };
  },

  ids: {
    at: 'monolith',
    sequence: 'public.reviews_id_seq',
    left: 'SELECT coalesce(sum(first + size - next), 0)::bigint FROM public.review_leases',
    lease: 'INSERT INTO public.review_leases (first, size, next) VALUES ($1, $2, $1)',
  },
};

export default reviews;
