import type { Image } from './store.ts';

/** Numbers, as the sequence stays far below 2^53. */
export function described({
  id,
  product_id,
  content_type,
  width,
  height,
  bytes,
  alt,
}: Image): Record<string, unknown> {
  return {
    id: Number(id),
    product: Number(product_id),
    url: `/images/${id}`,
    contentType: content_type,
    width,
    height,
    bytes,
    alt,
  };
}
