import { TYPES } from '../wish.ts';
import { operating } from './operating.ts';
import { problemResponses, problemSchema, type Part } from './problems.ts';
import { listPictures, readMeta, readPicture } from './reading.ts';
import { addPicture, describePicture, removePicture } from './writing.ts';

const id = (description: string, name: string): Part => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string', pattern: '^[1-9][0-9]{0,18}$' },
  example: '7',
});
const headers: Part = {
  NoSniff: { required: true, schema: { const: 'nosniff' } },
  NoStore: { required: true, schema: { const: 'no-store' } },
  ETag: {
    required: true,
    description: 'Of these bytes; another version of the same picture has another one.',
    schema: { type: 'string', pattern: '^(W/)?"[^"]+"$' },
  },
  BodyETag: {
    description: 'Of this answer’s body; it is no ETag of the picture.',
    schema: { type: 'string' },
  },
  RetryAfter: {
    description: 'Seconds until it may go better.',
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
  UnsatisfiedRange: { required: true, schema: { type: 'string', pattern: '^bytes \\*/[0-9]+$' } },
  Home: { description: 'Who writes it, while data moves.', schema: { type: 'string' } },
  Mirrored: {
    description: '`1` while data moves, when the other side has this write too.',
    schema: { const: '1' },
  },
};
const image: Part = {
  type: 'object',
  required: ['id', 'product', 'url', 'contentType', 'width', 'height', 'bytes', 'alt'],
  additionalProperties: false,
  properties: {
    id: { type: 'integer', minimum: 1 },
    product: { type: 'integer', minimum: 1 },
    url: { type: 'string', pattern: '^/images/[1-9][0-9]*$' },
    contentType: { type: 'string', enum: Object.values(TYPES) },
    width: { type: 'integer', minimum: 1 },
    height: { type: 'integer', minimum: 1 },
    bytes: { type: 'integer', minimum: 1 },
    alt: { type: 'string' },
  },
  examples: [
    {
      id: 7,
      product: 1,
      url: '/images/7',
      contentType: 'image/jpeg',
      width: 1600,
      height: 1200,
      bytes: 481_516,
      alt: 'A lantern on a jetty',
    },
  ],
};

/**
 * The service as OpenAPI 3.1. It is written here and not in a file beside, because limits and kinds then come from where they are checked;
 * test/contract/openapi.test.ts holds the rest against the running service.
 */
export const document: Part = {
  openapi: '3.1.1',
  info: {
    title: 'image-api',
    version: '1.0.0',
    summary: 'The pictures of the shop’s products',
    description:
      'Reads need no session. Writes need the shop’s: log in there, and send its cookie `sid`. Errors are problem documents (RFC 9457); programs go by their `code`.',
    license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: '/', description: 'This process; the router serves the pictures under the same paths' }],
  tags: [
    { name: 'pictures', description: 'The image contract, the same at the monolith' },
    { name: 'operating', description: 'For operators, at the service’s own port' },
  ],
  security: [],
  paths: {
    '/products/{product}/images': { get: listPictures, post: addPicture },
    '/images/{id}': { get: readPicture, patch: describePicture, delete: removePicture },

    '/images/{id}/meta': { get: readMeta },
    ...operating,
  },
  components: {
    securitySchemes: {
      session: {
        type: 'apiKey',
        in: 'cookie',
        name: 'sid',
        description: 'The shop’s session: a JWT signed with ES256 that its login sets.',
      },
    },
    parameters: {
      ImageId: id('What can be no id answers 404, like one that does not exist.', 'id'),
      ProductId: id('A product of the shop.', 'product'),
      IfNoneMatch: {
        name: 'If-None-Match',
        in: 'header',
        description: 'ETags the client has; 304 when one of them is current.',
        schema: { type: 'string' },
      },
    },
    headers,
    schemas: { Image: image, Problem: problemSchema },
    responses: problemResponses,
  },
};
