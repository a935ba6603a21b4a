/** A part of an OpenAPI document. */
export type Part = Readonly<Record<string, unknown>>;

const PROBLEMS = {
  400: ['BAD_REQUEST', 'The request is not as expected', 'w is a whole number from 1 to 4096'],
  401: ['UNAUTHENTICATED', 'Log in first', 'log in to change pictures'],
  403: [
    'FOREIGN_ORIGIN',
    'This form was sent from another site',
    'this form was sent from another site; reload the page and try again',
  ],
  404: ['NOT_FOUND', 'There is no such thing', 'there is no image 7'],
  409: ['CONFLICT', 'This can not be done at once', 'nothing was done: it concerns what two sides write'],
  413: ['TOO_LARGE', 'This is too large', 'the picture is larger than 26214400 bytes'],
  415: [
    'UNSUPPORTED',
    'This is not a picture the shop takes',
    'send a JPEG, PNG, WebP, AVIF or GIF; what counts are the bytes, not the name',
  ],
  416: ['NOT_SATISFIABLE', 'The picture has no such bytes', 'the picture has 1024 bytes'],
  421: ['MISDIRECTED', 'This is written elsewhere', 'nothing was done here: another side writes this'],
  422: ['DAMAGED', 'The picture is damaged', 'the picture is cut short or damaged; send it again'],
  429: ['TOO_MANY', 'Too many at once', 'wait until your other requests are answered'],
  500: ['INTERNAL', 'The shop failed', 'the error is in the log'],
  503: ['BUSY', 'Too busy at the moment', 'too many pictures are waiting to be made'],
  507: ['NO_SPACE', 'The shop has no room left', 'nothing was stored: there is no room left'],
} as const;
type ErrorStatus = keyof typeof PROBLEMS;

/** What a status has beside its document. */
const HEADERS: Partial<Record<ErrorStatus, Part>> = {
  416: { 'content-range': { $ref: '#/components/headers/UnsatisfiedRange' } },
  421: { 'strangler-home': { $ref: '#/components/headers/Home' } },
  429: { 'retry-after': { $ref: '#/components/headers/RetryAfter' } },
  503: { 'retry-after': { $ref: '#/components/headers/RetryAfter' } },
  507: { 'retry-after': { $ref: '#/components/headers/RetryAfter' } },
};
const COMMON: Part = {
  'x-content-type-options': { $ref: '#/components/headers/NoSniff' },
  'cache-control': { $ref: '#/components/headers/NoStore' },
};

/** RFC 9457, with a code that programs can go by. */
export const problemSchema: Part = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  additionalProperties: false,
  properties: {
    type: { const: 'about:blank' },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    code: { type: 'string', pattern: '^[A-Z_]+$' },
    detail: { type: 'string', description: 'Written for the caller; its wording may change.' },
  },
};

/** `components/responses`: a response for each status, named `Problem404` and so on. */
export const problemResponses: Part = Object.fromEntries(
  Object.entries(PROBLEMS).map(([status, [code, title, detail]]) => [
    `Problem${status}`,
    {
      description: title,
      headers: { ...COMMON, ...HEADERS[Number(status) as ErrorStatus] },
      content: {
        'application/problem+json': {
          schema: {
            allOf: [
              { $ref: '#/components/schemas/Problem' },
              { properties: { status: { const: Number(status) }, code: { const: code } } },
            ],
          },
          example: { type: 'about:blank', title, status: Number(status), code, detail },
        },
      },
    },
  ]),
);

/** The error answers of one operation. */
export function refusals(...statuses: readonly ErrorStatus[]): Part {
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]),
  );
}
