import { MAX_ALT } from '../upload.ts';
import { refusals, type Part } from './problems.ts';

const session = [{ session: [] }];
const imageId: Part = { $ref: '#/components/parameters/ImageId' };
const written: Part = {
  'x-content-type-options': { $ref: '#/components/headers/NoSniff' },
  'strangler-mirrored': { $ref: '#/components/headers/Mirrored' },
};
const described: Part = { ...written, etag: { $ref: '#/components/headers/BodyETag' } };
const image: Part = {
  'application/json': { schema: { $ref: '#/components/schemas/Image' } },
};
const alt: Part = {
  type: 'string',
  maxLength: MAX_ALT,
  description: 'Describes the picture to those who do not see it. Control characters become spaces.',
};

const replayed: Part = {
  'idempotency-replayed': {
    description: 'That it was stored before, under the same Idempotency-Key',
    schema: { const: 'true' },
  },
};

/** `POST /products/{product}/images`. */
export const addPicture: Part = {
  operationId: 'addPicture',
  tags: ['pictures'],
  summary: 'Add a picture to a product',
  description:
    'A JPEG, PNG, WebP, AVIF or GIF of up to 25 MiB and 40 megapixels; what counts are its bytes, not its name or Content-Type. It is stored upright, in sRGB, without metadata, of an animation the first frame. A browser that prefers HTML is sent back to the product’s page.',
  security: session,
  parameters: [
    { $ref: '#/components/parameters/ProductId' },
    {
      name: 'Idempotency-Key',
      in: 'header',
      description:
        'Chosen by the client for one upload. Sent again with the same key within 24 hours, it is answered as the first time and adds nothing; another upload with it is a 422 with the code KEY_REUSED.',
      schema: { type: 'string', pattern: '^("[!#-\\[\\]-~]{1,255}"|[!#-~]{1,255})$' },
      example: '7c1f6a86-0a86-4f5c-a5a3-4d2a0a9c9a6e',
    },
    {
      name: 'Origin',
      in: 'header',
      description: 'As browsers send it; when given, it has to be the host that is asked.',
      schema: { type: 'string' },
    },
  ],
  requestBody: {
    required: true,
    content: {
      'multipart/form-data': {
        schema: {
          type: 'object',
          required: ['image'],
          additionalProperties: false,
          properties: {
            image: { description: 'The file', contentMediaType: 'application/octet-stream' },
            alt,
          },
        },
        encoding: { image: { contentType: 'image/jpeg, image/png, image/webp, image/avif, image/gif' } },
      },
    },
  },
  responses: {
    201: {
      description: 'It is stored',
      headers: {
        ...described,
        ...replayed,
        location: { required: true, schema: { type: 'string', pattern: '^/images/[1-9][0-9]*$' } },
      },
      content: image,
    },
    303: {
      description: 'It is stored; the product’s page shows it',
      headers: {
        ...written,
        ...replayed,
        vary: { schema: { type: 'string' } },
        location: { required: true, schema: { type: 'string', pattern: '^/products/[1-9][0-9]*$' } },
      },
    },
    ...refusals(400, 401, 403, 404, 409, 413, 415, 421, 422, 500, 503, 507),
  },
};

/** `PATCH /images/{id}`. */
export const describePicture: Part = {
  operationId: 'describePicture',
  tags: ['pictures'],
  summary: 'Change a picture’s description',
  security: session,
  parameters: [imageId],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: { type: 'object', required: ['alt'], additionalProperties: false, properties: { alt } },
        example: { alt: 'A lantern on a jetty' },
      },
    },
  },
  responses: {
    200: { description: 'It is changed', headers: described, content: image },
    ...refusals(400, 401, 404, 409, 413, 421, 500, 503),
  },
};

/** `DELETE /images/{id}`. */
export const removePicture: Part = {
  operationId: 'removePicture',
  tags: ['pictures'],
  summary: 'Remove a picture',
  security: session,
  parameters: [imageId],
  responses: {
    204: { description: 'It is gone', headers: written },
    ...refusals(400, 401, 404, 409, 421, 500, 503),
  },
};
