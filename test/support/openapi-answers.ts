import assert from 'node:assert/strict';
import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

interface Reference {
  readonly $ref?: string;
}
interface Header extends Reference {
  readonly required?: boolean;
  readonly schema?: AnySchema;
}
interface Answer extends Reference {
  readonly headers?: Readonly<Record<string, Header>>;
  readonly content?: Readonly<Record<string, { readonly schema?: AnySchema; readonly example?: unknown }>>;
}
export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly (Reference & {
    readonly name: string;
    readonly in: string;
    readonly schema: Limits;
  })[];
  readonly responses: Readonly<Record<string, Answer>>;
}
interface Limits {
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Headers that have a meaning in this API: none of them is sent unsaid. */
const TELLING = [
  'accept-ranges',
  'cache-control',
  'content-disposition',
  'content-range',
  'content-security-policy',
  'etag',
  'location',
  'retry-after',
  'strangler-home',
  'strangler-mirrored',
  'vary',
  'x-content-type-options',
];

/** Holds real answers against a document. */
export function answersOf(document: OpenApi): {
  /** Throws what is wrong with an answer; the body is read. */
  check(path: string, method: string, response: Response): Promise<void>;
  /** `get /images/{id} 200` of all that was checked. */
  readonly seen: ReadonlySet<string>;
} {
  const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema(document as unknown as AnySchema, 'document');
  const seen = new Set<string>();
  const resolved = <T extends Reference>(part: T): T =>
    part.$ref === undefined
      ? part
      : (part.$ref
          .slice(2)
          .split('/')
          .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], document) as T);
  const fits = (schema: AnySchema | undefined, value: unknown, what: string): void => {
    const absolute = JSON.stringify(schema ?? {}).replaceAll('"#/', '"document#/');
    const validate = ajv.compile(JSON.parse(absolute) as AnySchema);
    assert.ok(validate(value), `${what}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
  };

  return {
    seen,
    async check(path, method, response) {
      const what = `${method} ${path} ${response.status}`;
      const operation = document.paths[path]?.[method];
      assert.ok(operation, `${method} ${path} is not documented`);
      const said = operation.responses[response.status];
      const body = Buffer.from(await response.arrayBuffer());
      assert.ok(said, `${what} is not documented: ${body.toString('utf8', 0, 200)}`);
      const { headers = {}, content = {} } = resolved(said);
      for (const [name, reference] of Object.entries(headers)) {
        const { required, schema } = resolved(reference);
        const value = response.headers.get(name);
        if (required) assert.ok(value !== null, `${what}: there is no ${name}`);
        if (value !== null) fits(schema, value, `${what}: ${name}`);
      }
      // A 304 may repeat what its 200 had (RFC 9110 §15.4.5).
      for (const name of response.status === 304 ? [] : TELLING)
        if (response.headers.has(name)) assert.ok(headers[name], `${what}: ${name} is not documented`);
      if (body.length === 0) {
        assert.deepEqual(Object.keys(content), [], `${what} has no body`);
      } else if (response.status !== 303) {
        const type = response.headers.get('content-type')!.split(';')[0]!;
        const { schema, example } = content[type] ?? {};
        assert.ok(content[type], `${what}: ${type} is not documented`);
        if (type.endsWith('json')) {
          const value = JSON.parse(body.toString()) as Record<string, unknown>;
          fits(schema, value, what);
          // The example of a problem has its very code and title.
          if (example !== undefined)
            assert.deepEqual({ ...value, detail: 0 }, { ...(example as object), detail: 0 }, what);
        }
      }
      seen.add(what);
    },
  };
}

/** `get /images/{id}` of everything in it. */
export function operationsOf(document: OpenApi): string[] {
  return Object.entries(document.paths)
    .flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path}`))
    .toSorted();
}

/** What an Express application is made of inside. */
export interface Layers {
  readonly stack: readonly {
    readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
    readonly handle?: Partial<Layers>;
  }[];
}

/** `get /images/{id}` of every route below, the way OpenAPI writes it. */
export function routesOf({ stack }: Layers): string[] {
  return stack.flatMap(({ route, handle }) =>
    route
      ? Object.keys(route.methods).map((method) => `${method} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}`)
      : handle?.stack
        ? routesOf(handle as Layers)
        : [],
  );
}
