import { z } from 'zod';

/** The name of a header or of a cookie. */
export const token = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'is not a valid header or cookie name');
/** In small letters, as the codec has them. */
export const headerName = token.transform((name) => name.toLowerCase());
/** Names an upstream, and a variant of a flag. */
export const upstreamName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'use up to 63 letters, digits, dots, dashes and underscores');
