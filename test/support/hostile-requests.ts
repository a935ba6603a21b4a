import { generator } from '../move/random.ts';

const BOUNDARY = '----WebKitFormBoundary7MA4YWxkTrZu0gW9';

/** A form's part, its name and file name as they are. */
export function part(headers: string, bytes: Buffer | string): Buffer {
  return Buffer.concat([
    Buffer.from(`--${BOUNDARY}\r\n${headers}\r\n\r\n`),
    Buffer.from(bytes as string),
    Buffer.from('\r\n'),
  ]);
}

export const formType = `multipart/form-data; boundary=${BOUNDARY}`;
export const form = (...parts: readonly Buffer[]): Buffer =>
  Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]);
export const picturePart = (bytes: Buffer, file = 'x.jpg'): Buffer =>
  part(`content-disposition: form-data; name="image"; filename="${file}"\r\ncontent-type: image/jpeg`, bytes);

/** Names that file systems, shells, databases, browsers and headers have stumbled over; the same ones each time. */
export function hostileNames(count: number): string[] {
  const random = generator(7);
  const pieces = [
    '../',
    '..\\',
    '/etc/passwd',
    'C:\\',
    '%00',
    '\0',
    '%2e%2e%2f',
    '\\"',
    '"',
    ';',
    "'",
    '`id`',
    '$(id)',
    '|',
    '\t',
    '\r',
    '\n',
    '<script>',
    '\u202e',
    '\ud83d\ude00',
    '\u0000',
    '\u2028',
    'é',
    'é',
    ' ',
    '.',
    '..',
    '~',
    '-rf',
    'CON',
    'nul.png',
    '.htaccess',
    '*',
    '?',
    ':',
    '=',
    '%s%n',
    "';DROP TABLE images;--",
    'a'.repeat(300),
    'x.jpg',
    '.png',
    '{{7*7}}',
    '\x7f',
    '\xff',
  ];
  return Array.from({ length: count }, (_, n) =>
    Array.from({ length: 1 + (n % 5) }, () => pieces[Math.floor(random() * pieces.length)]).join(''),
  );
}

/** Forms that are not as asked for: header and body. */
export function hostileForms(picture: Buffer): [name: string, type: string | null, body: Buffer][] {
  const image = picturePart(picture);
  const whole = form(image);
  const nested = part(
    'content-disposition: form-data; name="image"\r\ncontent-type: multipart/mixed; boundary=c',
    '--c\r\n\r\nx\r\n--c--',
  );
  return [
    ['the field twice', formType, form(image, image)],
    [
      'the description twice',
      formType,
      form(
        image,
        part('content-disposition: form-data; name="alt"', 'a'),
        part('content-disposition: form-data; name="alt"', 'b'),
      ),
    ],
    [
      'another field',
      formType,
      form(part('content-disposition: form-data; name="picture"; filename="x"', picture)),
    ],
    [
      'a field called __proto__',
      formType,
      form(image, part('content-disposition: form-data; name="__proto__[alt]"', 'a')),
    ],
    [
      'the description as a list',
      formType,
      form(image, part('content-disposition: form-data; name="alt[]"', 'a')),
    ],
    ['the picture as a text', formType, form(part('content-disposition: form-data; name="image"', picture))],
    ['a form in a form', formType, form(nested)],
    ['no name', formType, form(part('content-disposition: form-data', picture))],
    ['no disposition', formType, form(part('content-type: image/jpeg', picture))],
    ['a thousand parts', formType, form(...Array.from({ length: 1000 }, () => image))],
    [
      'a part with 60 KB of headers',
      formType,
      form(
        part(
          `content-disposition: form-data; name="image"; filename="x"\r\nx: ${'y'.repeat(60_000)}`,
          picture,
        ),
      ),
    ],
    ['no boundary', 'multipart/form-data', whole],
    ['an empty boundary', 'multipart/form-data; boundary=', whole],
    ['another boundary', 'multipart/form-data; boundary=other', whole],
    ['a boundary of 10 KB', `multipart/form-data; boundary=${'b'.repeat(10_000)}`, whole],
    ['multipart/mixed', 'multipart/mixed; boundary=b0undary', whole],
    ['the bare picture', 'image/jpeg', picture],
    ['JSON', 'application/json', Buffer.from('{"image":"x"}')],
    ['no type', null, whole],
    ['an end that is missing', formType, whole.subarray(0, -10)],
    ['nothing at all', formType, Buffer.alloc(0)],
    ['a strange charset', `${formType}; charset=utf-7`, whole],
    [
      'a transfer encoding',
      formType,
      form(
        part(
          'content-disposition: form-data; name="image"; filename="x"\r\ncontent-transfer-encoding: base64',
          picture,
        ),
      ),
    ],
  ];
}

const NUMBERS = [
  '0',
  '-0',
  '-1',
  '4097',
  '1e3',
  '1e9',
  '1e309',
  'NaN',
  'Infinity',
  '0x10',
  '0b1',
  '1.5',
  '1_0',
  '٣',
  '１',
  '×',
  '%C3%97',
  '%00',
  '1%00',
  '%ff',
  '',
  ' 1',
  '1 ',
  '+1',
  '01',
  '1,2',
  '1;2',
  '9'.repeat(400),
  'null',
  '[]',
  '1n',
];

/** Queries of a picture; all but the last few are wrong. */
export function hostileQueries(isFull: boolean): string[] {
  const wrong = ['w', 'h', 'q'].flatMap((name) => NUMBERS.map((value) => `${name}=${value}`));
  const others = ['fit', 'format'].flatMap((name) =>
    ['', 'svg', 'gif', 'JPEG', 'cover%00', '__proto__', 'constructor', '../x', 'a'.repeat(9000)].map(
      (value) => `${name}=${value}`,
    ),
  );
  const shapes = [
    'w=1&w=1',
    'w[]=1',
    'w[a]=1',
    'w%5B%5D=1',
    '%77=8',
    '__proto__=1',
    'constructor=1',
    'toString=1',
    '=',
    '&',
    '&&&',
    'w',
    'w=8&',
    'W=8',
    'w=8&%00=1',
    '%',
    '%zz',
    '%ff=1',
    'w=%',
    '?w=8',
    'w=8#x',
    `${'w=8&'.repeat(2000)}`,
    'url=http://127.0.0.1/',
    'format=auto&w=8',
  ];
  const large = [
    'w=1&h=4096',
    'w=4096&h=1',
    'w=1',
    'h=1',
    'q=1',
    'w=4096&h=4096&format=jpeg',
    'w=4096&h=4096&fit=contain&format=png',
  ];
  const largest = ['jpeg', 'png', 'webp', 'avif'].flatMap((format) =>
    ['cover', 'contain', 'inside'].map((fit) => `w=4096&h=4096&fit=${fit}&format=${format}`),
  );
  return [...wrong, ...others, ...shapes, ...large, ...(isFull ? largest : [])];
}
