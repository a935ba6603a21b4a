import { MAX_SIDE, TYPES } from '../wish.ts';
import { refusals, type Part } from './problems.ts';

const side = (name: string, what: string): Part => ({
  name,
  in: 'query',
  description: `${what} in pixels. With one side the other follows in proportion, up to ${MAX_SIDE}; with both see \`fit\`.`,
  schema: { type: 'integer', minimum: 1, maximum: MAX_SIDE },
  example: 320,
});
const imageId: Part = { $ref: '#/components/parameters/ImageId' };
const ifNoneMatch: Part = { $ref: '#/components/parameters/IfNoneMatch' };
const noSniff: Part = { $ref: '#/components/headers/NoSniff' };
const noCache: Part = {
  'x-content-type-options': noSniff,
  etag: { $ref: '#/components/headers/ETag' },
  'cache-control': { schema: { const: 'no-cache' } },
};
const unchanged: Part = {
  description: 'What the client has is current',
  headers: { etag: { $ref: '#/components/headers/ETag' } },
};
const pictureHeaders: Part = {
  'x-content-type-options': noSniff,
  etag: { $ref: '#/components/headers/ETag' },
  'cache-control': {
    description:
      'The picture of an id never changes; an hour is how long one that was deleted may still be shown.',
    schema: { const: 'public, max-age=3600' },
  },
  'content-disposition': { schema: { const: 'inline' } },
  vary: { description: 'With `format=auto`: the answer depends on Accept.', schema: { type: 'string' } },
  'accept-ranges': { description: 'Of the stored picture only.', schema: { type: 'string' } },
};
const bytes = Object.fromEntries(Object.values(TYPES).map((type) => [type, {}]));

/** `GET /images/{id}`. */
export const readPicture: Part = {
  operationId: 'readPicture',
  tags: ['pictures'],
  summary: 'A picture, as stored or as wanted',
  description:
    'Without parameters the stored picture, byte by byte. With any, a version of it: turned upright already, in sRGB, without metadata, of an animation the first frame. Unknown, repeated and out-of-range parameters are refused. HEAD answers the same without the body.',
  parameters: [
    imageId,
    side('w', 'Width'),
    side('h', 'Height'),
    {
      name: 'fit',
      in: 'query',
      description:
        '`cover` fills both sides and cuts what is beyond, `contain` fills them with white (or transparency), `inside` stays within them. Default: `cover` with two sides, else `inside`.',
      schema: { type: 'string', enum: ['cover', 'contain', 'inside'] },
    },
    {
      name: 'format',
      in: 'query',
      description:
        'Default: as stored, a GIF as PNG. `auto` chooses by Accept; wildcards there do not count as support of WebP.',
      schema: { type: 'string', enum: ['jpeg', 'png', 'webp', 'avif', 'auto'] },
    },
    {
      name: 'q',
      in: 'query',
      description: 'Quality of JPEG, WebP and AVIF.',
      schema: { type: 'integer', minimum: 1, maximum: 100 },
      example: 80,
    },
    { name: 'Accept', in: 'header', description: 'Read with `format=auto`.', schema: { type: 'string' } },
    ifNoneMatch,
    {
      name: 'Range',
      in: 'header',
      description: 'One range of the bytes of the stored picture; other versions are always answered whole.',
      schema: { type: 'string' },
      example: 'bytes=0-1023',
    },
    {
      name: 'If-Range',
      in: 'header',
      description: 'The ETag for which Range counts; with another the picture is answered whole.',
      schema: { type: 'string' },
    },
  ],
  responses: {
    200: { description: 'The picture', headers: pictureHeaders, content: bytes },
    206: {
      description: 'The wanted bytes of the stored picture',
      headers: {
        ...pictureHeaders,
        'content-range': { required: true, schema: { type: 'string', pattern: '^bytes \\d+-\\d+/\\d+$' } },
      },
      content: bytes,
    },
    304: unchanged,
    ...refusals(400, 404, 413, 416, 422, 429, 500, 503),
  },
};

/** `GET /images/{id}/meta`. */
export const readMeta: Part = {
  operationId: 'readMeta',
  tags: ['pictures'],
  summary: 'What is known of a picture',
  parameters: [imageId, ifNoneMatch],
  responses: {
    200: {
      description: 'The picture’s sides, size and description',
      headers: noCache,
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Image' } } },
    },
    304: unchanged,
    ...refusals(400, 404, 500),
  },
};

/** `GET /products/{product}/images`. */
export const listPictures: Part = {
  operationId: 'listPictures',
  tags: ['pictures'],
  summary: 'The pictures of a product, the oldest first',
  parameters: [{ $ref: '#/components/parameters/ProductId' }, ifNoneMatch],
  responses: {
    200: {
      description: 'All of them; none is an empty list',
      headers: noCache,
      content: {
        'application/json': { schema: { type: 'array', items: { $ref: '#/components/schemas/Image' } } },
      },
    },
    304: unchanged,
    ...refusals(400, 404, 500, 503),
  },
};
