import assert from 'node:assert/strict';
import { PIN_SECONDS, issuePin, pinCookie, readPin } from './pin.ts';

const at = { key: 'key', now: 1_000_000, isSecure: false };
const cookie = issuePin('images', 'image.api-1', at);
const sent = cookie.split(';', 1)[0]!;

describe('pins', () => {
  it('let their bearer read at one side for a while', () => {
    assert.equal(readPin('images', `a=1; ${sent}; b=2`, 'key', at.now), 'image.api-1');
    assert.equal(readPin('images', sent, 'key', at.now + PIN_SECONDS * 1000), null);
    assert.match(cookie, /; Path=\/; Max-Age=10; HttpOnly; SameSite=Lax$/);
    assert.match(issuePin('images', 'a', { ...at, isSecure: true }), /; Secure$/);
  });

  it('are nothing when anything about them was changed, and for another feature', () => {
    const [name, value = ''] = sent.split('=');
    const later = value.replace('.1010.', '.9999.');
    assert.notEqual(later, value);
    for (const text of [later, value.slice(0, -1), `x${value}`, 'é'.repeat(43), 'a.1.b', ''])
      assert.equal(readPin('images', `${name}=${text}`, 'key', at.now), null, text);
    assert.equal(readPin('images', sent, 'other', at.now), null);
    assert.equal(readPin('mail', sent.replace(name!, pinCookie('mail')), 'key', at.now), null);
    assert.equal(readPin('images', undefined, 'key', at.now), null);
  });
});
