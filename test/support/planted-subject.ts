import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';

/*
 * A mistake in the email-api's template, put in as the process reads it (`node --import`): orders of seven pieces get another subject. Every other file,
 * and every other order, is as it stands.
 */
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith('/extracted/email-api/confirmation.ts')) return loaded;
    const before = String(loaded.source);
    const after = before.replace(
      'subject: `Your order ${order.id}`',
      "subject: `Your order ${order.id}${order.quantity === 7 ? '!' : ''}`",
    );
    assert.notEqual(after, before, 'the place of the mistake');
    return { ...loaded, source: after };
  },
});
