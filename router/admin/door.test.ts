import assert from 'node:assert/strict';
import supertest from 'supertest';
import { SESSION_COOKIE } from './cookie.ts';
import { CONSOLE_HEADER } from './door.ts';
import { startAdmin, type AdminBed } from './testbed.ts';

describe('the door of the admin port', () => {
  let bed: AdminBed;
  beforeEach(async () => (bed = await startAdmin()));
  afterEach(() => bed.close());
  const ask = (): ReturnType<typeof supertest> => supertest(bed.url);
  const login = async (): Promise<string> => {
    const answer = await ask().post('/session').send({ token: bed.token }).expect(204);
    return String(answer.headers['set-cookie']).split(';')[0]!;
  };
  /** Any change will do: this one is refused by the API itself (428) once it is through the door. */
  const pause = (headers: Record<string, string>): supertest.Test =>
    ask().post('/api/features/images/rollback').set(headers).send({ why: 'a test' });

  it('trades the token for a cookie that scripts can’t read and other sites can’t use', async () => {
    const { headers } = await ask().post('/session').send({ token: bed.token }).expect(204);
    const [cookie] = headers['set-cookie'] as unknown as string[];
    assert.match(
      cookie!,
      new RegExp(`^${SESSION_COOKIE}=[\\w.-]+; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict$`),
    );
    assert.ok(!cookie!.includes(bed.token));
    await ask().get('/api/status').set('cookie', cookie!.split(';')[0]!).expect(200);
  });

  it('keeps the token of applications to evaluations and observations', async () => {
    const asApp = { authorization: `Bearer ${bed.appToken}` };
    for (const path of [
      '/api/status',
      '/api/features',
      '/api/journal',
      '/api/events',
      '/api/explain?path=/',
      '/api/moves',
    ])
      await ask()
        .get(path)
        .set(asApp)
        .expect(403, /STRANGLER_ADMIN_TOKEN/);
    for (const verb of ['promote', 'rollback', 'kill', 'resume', 'pause'])
      await ask()
        .post(`/api/features/images/${verb}`)
        .set({ ...asApp, 'if-match': '*' })
        .send({ why: 'x' })
        .expect(403);
    await ask()
      .put('/api/features/images/split')
      .set({ ...asApp, 'if-match': '*' })
      .send({ percent: 1, why: 'x' })
      .expect(403);
    await ask().post('/session').send({ token: bed.appToken }).expect(403);
    const body = { observations: [{ side: 'monolith', ok: true, milliseconds: 1 }] };
    const observations = '/api/features/images/observations';
    await ask().post(observations).set(asApp).send(body).expect(200);
    await ask()
      .post(observations)
      .set({ authorization: `Bearer ${bed.token}` })
      .send(body)
      .expect(200);
    await ask().post(observations).send(body).expect(401);
    // It is no wrong token, however often it comes.
    for (let n = 0; n < 15; n++) await ask().get('/api/status').set(asApp).expect(403);
  });

  it('refuses a wrong token, and a body without one', async () => {
    await ask().post('/session').send({ token: 'wrong' }).expect(401);
    for (const body of [{}, { token: 7 }, { token: '' }]) await ask().post('/session').send(body).expect(400);
    await ask().post('/session').send('token=x').expect(400);
  });

  it('refuses a session that was tampered with, that was made under another token, or that comes twice', async () => {
    const cookie = await login();
    const [name, value] = cookie.split('=') as [string, string];
    const [expires, nonce, signature] = value.split('.') as [string, string, string];
    const longer = `${Number(expires) + 1}.${nonce}.${signature}`;
    for (const wrong of [longer, `${expires}.${nonce}.`, `${expires}.${nonce}.${'A'.repeat(43)}`, '', 'x'])
      await ask().get('/api/status').set('cookie', `${name}=${wrong}`).expect(401);
    await ask().get('/api/status').set('cookie', `${cookie}; ${cookie}`).expect(401);
    const other = await startAdmin({ token: 'another-token' });
    await supertest(other.url).get('/api/status').set('cookie', cookie).expect(401);
    await other.close();
  });

  it('ends a session after twelve hours', async () => {
    const cookie = await login();
    bed.clock.now += 12 * 3600_000 - 1;
    await ask().get('/api/status').set('cookie', cookie).expect(200);
    bed.clock.now += 1;
    await ask().get('/api/status').set('cookie', cookie).expect(401);
  });

  it('ends a session at logout, also for whoever copied its cookie', async () => {
    const cookie = await login();
    const other = await login();
    const answer = await ask().delete('/session').set('cookie', cookie).expect(204);
    assert.match(String(answer.headers['set-cookie']), /Max-Age=0/);
    await ask().get('/api/status').set('cookie', cookie).expect(401);
    await ask().get('/api/status').set('cookie', other).expect(200);
  });

  it('says whether there is a session without refusing anybody', async () => {
    const signedIn = async (cookie: string): Promise<unknown> =>
      (await ask().get('/session').set('cookie', cookie).expect(200)).body;
    assert.deepEqual(await signedIn(''), { signedIn: false });
    assert.deepEqual(await signedIn(await login()), { signedIn: true });
  });

  it('lets a change under the cookie in from the console’s own pages only', async () => {
    const cookie = await login();
    const own = { cookie, [CONSOLE_HEADER]: '1' };
    const host = new URL(bed.url).host;
    await pause(own).expect(428);
    await pause({ ...own, 'sec-fetch-site': 'same-origin', origin: `http://${host}` }).expect(428);
    await pause({ cookie }).expect(403);
    // The shop on another port of the same host is same-site: browsers send it the cookie.
    await pause({ ...own, 'sec-fetch-site': 'same-site' }).expect(403);
    await pause({ ...own, 'sec-fetch-site': 'cross-site' }).expect(403);
    await pause({ ...own, origin: 'http://127.0.0.1:8080' }).expect(403);
    await pause({ ...own, origin: 'null' }).expect(403);
    const read = await ask().get('/api/status').set({ cookie, 'sec-fetch-site': 'same-site' });
    assert.equal(read.status, 403);
  });

  it('keeps other pages from logging in or out', async () => {
    await ask().post('/session').set('sec-fetch-site', 'cross-site').send({ token: bed.token }).expect(403);
    const cookie = await login();
    await ask().delete('/session').set({ cookie, origin: 'http://evil.test' }).expect(403);
    await ask().get('/api/status').set('cookie', cookie).expect(200);
  });

  it('asks nothing but the token of a script', async () => {
    await pause({ authorization: `Bearer ${bed.token}`, origin: 'http://evil.test' }).expect(428);
  });

  it('answers the eleventh wrong token in a minute with 429, however they came, and the right one all the while', async () => {
    for (let i = 0; i < 5; i++) {
      await ask().get('/api/status').set('authorization', `Bearer wrong-${i}`).expect(401);
      await ask()
        .post('/session')
        .send({ token: `wrong-${i}` })
        .expect(401);
    }
    bed.clock.now += 20_000;
    const { headers, body } = await ask().get('/api/status').set('authorization', 'Bearer no').expect(429);
    assert.equal(headers['retry-after'], '40');
    assert.equal(body.code, 'TOO_MANY_TOKENS');
    await ask().post('/session').send({ token: 'no' }).expect(429);
    await ask().get('/api/status').set('authorization', `Bearer ${bed.token}`).expect(200);
    await login();
    bed.clock.now += 40_000;
    await ask().get('/api/status').set('authorization', 'Bearer no').expect(401);
  });

  it('does not count a request without any token', async () => {
    for (let i = 0; i < 12; i++) await ask().get('/api/status').expect(401);
    await ask().get('/api/status').set('authorization', 'Bearer no').expect(401);
  });
});
