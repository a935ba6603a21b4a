import assert from 'node:assert/strict';
import { renderConfirmation } from './confirmation.ts';
import { Malformed, checkHeaders, readJob } from './job.ts';
import { differencesOf } from './parity.ts';

const ORDER = { id: '17', quantity: 2, product: 'Lamp', totalCents: 4999, currency: 'EUR' };
const JOB = {
  version: 1,
  id: '<order-17@shop.example>',
  kind: 'order-confirmation',
  to: 'ana@example.com',
  order: ORDER,
  shadow: null,
};
const faultsOf = (body: unknown): string => {
  try {
    readJob(body);
    return '';
  } catch (error) {
    assert.ok(error instanceof Malformed, String(error));
    return error.message;
  }
};

describe('a mail job', () => {
  it('is read, and what it does not know is ignored', () => {
    assert.equal(readJob({ ...JOB, later: 1 }).order.totalCents, 4999);
    assert.equal(readJob({ ...JOB, shadow: undefined }).to, 'ana@example.com');
    assert.equal(faultsOf({ ...JOB, to: "zoë.o'neill+shop@exämple.de" }), '');
  });

  it('is refused with all that is wrong with it', () => {
    assert.equal(faultsOf('{"id": '), String.raw`the message is not a JSON object: "{\"id\": "`);
    assert.equal(faultsOf([]), 'the message is not a JSON object: []');
    assert.equal(faultsOf({ ...JOB, version: 3, to: 1 }), 'version: 3 is not 1, the one that is known here');
    assert.equal(
      faultsOf({ ...JOB, to: 1, order: { ...ORDER, quantity: 0.5, currency: 'euro' }, shadow: { from: 1 } }),
      'to: 1 is not one address like ana@example.com; order.quantity: 0.5 is not a whole number from 1 on; ' +
        'order.currency: "euro" is not three capital letters; shadow.from: 1 is not a text; ' +
        'shadow.to: undefined is not a text; shadow.subject: undefined is not a text; ' +
        'shadow.text: undefined is not a text; shadow.html: undefined is not a text',
    );
    assert.match(faultsOf({ ...JOB, order: null }), /order\.id: undefined.*order\.currency/);
    assert.ok(faultsOf({ ...JOB, to: 'x'.repeat(10_000) }).length < 200);
  });

  it('can neither add a header nor a recipient', () => {
    for (const to of [
      'a@b.example\r\nBcc: c@d.example',
      'a@b.example\nBcc: c@d.example',
      'a@b.example, c@d.example',
      'a@b.example;c@d.example',
      'A <a@b.example>',
      'a@b.example\0',
      'a@b.example\u0085',
      'a@b.example\u2028',
      'a\u202E@b.example',
      'a@b@c.example',
      '@b.example',
      'a@',
      '',
    ])
      assert.match(faultsOf({ ...JOB, to }), /^to: /, JSON.stringify(to));
    for (const id of ['<a@b>\r\nBcc: x@y', 'a@b', '<a b@c>', '<a@b><c@d>', '<ü@b>', `<${'a'.repeat(200)}@b>`])
      assert.match(faultsOf({ ...JOB, id }), /^id: /, JSON.stringify(id));
    for (const id of ['1\r\nBcc: x', '1\u0000', '1\u0085', '1\u2029', ''])
      assert.match(faultsOf({ ...JOB, order: { ...ORDER, id } }), /^order\.id: /, JSON.stringify(id));
    // Whoever renders anew, with a field that nobody checked, is stopped too.
    assert.throws(
      () => checkHeaders({ subject: 'Hello\r\nBcc: x' }),
      /^Error: subject: "Hello\\r\\nBcc: x" is not free/,
    );
  });
});

describe('the confirmation', () => {
  it('says what was ordered, in text and in HTML that shows it as it is', () => {
    const mail = renderConfirmation(readJob({ ...JOB, order: { ...ORDER, product: `<b>"Lamp" & 'Co'` } }));
    assert.equal(mail.subject, 'Your order 17');
    assert.match(
      mail.text,
      /^Thank you for your order 17\.\n\n2 × <b>"Lamp" & 'Co', €49\.99 in all\.\n\nWe pack/,
    );
    assert.ok(
      mail.html.includes('<p>2 × &#60;b&#62;&#34;Lamp&#34; &#38; &#39;Co&#39;, €49.99 in all.</p>'),
      mail.html,
    );
  });

  it('is compared field by field, and a difference is shown where it begins', () => {
    const mail = renderConfirmation(readJob(JOB));
    assert.deepEqual(differencesOf(mail, mail), []);
    const other = { ...mail, from: 'x', text: `${'a'.repeat(1000)}b` };
    const [from, text, ...rest] = differencesOf(other, { ...other, from: 'y', text: `${'a'.repeat(1000)}c` });
    assert.deepEqual([from, rest], [{ path: 'from', default: 'x', candidate: 'y' }, []]);
    assert.deepEqual(text, { path: 'text', default: `${'a'.repeat(60)}b`, candidate: `${'a'.repeat(60)}c` });
    assert.equal(differencesOf({ ...mail, text: 'a' }, { ...mail, text: 'ab' })[0]?.path, 'text');
  });
});
