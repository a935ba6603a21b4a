import { refusals, type Part } from './problems.ts';

const noSniff: Part = { 'x-content-type-options': { $ref: '#/components/headers/NoSniff' } };
const probe = (...statuses: readonly string[]): Part => ({
  'application/json': {
    schema: {
      type: 'object',
      required: ['status'],
      additionalProperties: false,
      properties: { status: { enum: statuses } },
    },
  },
});
const etag: Part = { ...noSniff, etag: { $ref: '#/components/headers/ETag' } };
const askedAnew: Part = { ...etag, 'cache-control': { required: true, schema: { const: 'no-cache' } } };
const ifNoneMatch: Part = { $ref: '#/components/parameters/IfNoneMatch' };
const unchanged: Part = { description: 'What the client has is current' };

/** What is asked of every process, and this document. None of it is routed; it is asked at the service's own port. */
export const operating: Part = {
  '/livez': {
    get: {
      operationId: 'live',
      tags: ['operating'],
      summary: 'Does the process live?',
      parameters: [ifNoneMatch],
      responses: {
        200: { description: 'It does', headers: etag, content: probe('live') },
        304: unchanged,
      },
    },
  },
  '/readyz': {
    get: {
      operationId: 'ready',
      tags: ['operating'],
      summary: 'Should requests be sent here?',
      parameters: [ifNoneMatch],
      responses: {
        200: { description: 'Yes', headers: etag, content: probe('ready') },
        304: unchanged,
        503: {
          description: 'No: it drains, or its database can not be reached',
          headers: etag,
          content: probe('not ready'),
        },
      },
    },
  },
  '/metrics': {
    get: {
      operationId: 'metrics',
      tags: ['operating'],
      summary: 'Figures for Prometheus',
      responses: {
        200: {
          description: 'In the text format',
          headers: etag,
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
      },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'document',
      tags: ['operating'],
      summary: 'This document',
      parameters: [ifNoneMatch],
      responses: {
        200: {
          description: 'OpenAPI 3.1',
          headers: askedAnew,
          content: { 'application/json': { schema: { type: 'object', required: ['openapi', 'paths'] } } },
        },
        304: unchanged,
      },
    },
  },
  '/docs': {
    get: {
      operationId: 'docs',
      tags: ['operating'],
      summary: 'This document as a page',
      parameters: [ifNoneMatch],
      responses: {
        200: {
          description: 'The page',
          headers: {
            ...askedAnew,
            'content-security-policy': { required: true, schema: { type: 'string' } },
          },
          content: { 'text/html': { schema: { type: 'string' } } },
        },
        304: unchanged,
      },
    },
  },
  '/docs/{file}': {
    get: {
      operationId: 'docsFile',
      tags: ['operating'],
      summary: 'What the page consists of',
      parameters: [
        { name: 'file', in: 'path', required: true, schema: { type: 'string' }, example: 'swagger-ui.css' },
        ifNoneMatch,
      ],
      responses: {
        200: {
          description: 'A script or a style sheet',
          headers: askedAnew,
          content: {
            'text/javascript': { schema: { type: 'string' } },
            'text/css': { schema: { type: 'string' } },
          },
        },
        304: unchanged,
        ...refusals(400, 404),
      },
    },
  },
};
