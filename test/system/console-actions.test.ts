import assert from 'node:assert/strict';
import { openPage } from '../support/chromium.ts';
import { ODD_NAME, TOKEN, button, dialog, useConsole } from '../support/console.ts';
import { until } from '../support/until.ts';

describe('what an operator does at the console, in Chromium', function () {
  this.timeout(120_000);
  const bed = useConsole();

  it('asks for the token, says when it is wrong, keeps the session over a reload, and ends it', async () => {
    const { page, faults } = await openPage(bed.browser, {});
    await page.goto(bed.router.adminUrl);
    await page.getByLabel('Admin token').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('this is not the token').waitFor();
    assert.ok(
      faults.every((fault) => fault.includes('401')),
      faults.join('\n'),
    );
    await page.getByLabel('Admin token').fill(TOKEN);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'images', exact: true }).waitFor();
    await page.reload();
    await page.getByRole('link', { name: 'images', exact: true }).waitFor();
    assert.equal(await page.evaluate('document.cookie'), '', 'the cookie is not for scripts');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Admin token').waitFor();
    await page.reload();
    await page.getByLabel('Admin token').waitFor();
    await page.context().close();
  });

  it('shows a feature with an odd name as text, everywhere', async () => {
    const { page, faults } = await bed.enter('');
    await page.getByRole('link', { name: ODD_NAME }).click();
    await page.getByRole('heading', { level: 1, name: ODD_NAME }).waitFor();
    await button(page, 'Kill').click();
    await dialog(page)
      .getByRole('heading', { name: `Kill ${ODD_NAME}` })
      .waitFor();
    await dialog(page).getByLabel('Why').fill(`<b>${ODD_NAME}</b>`);
    await dialog(page).getByRole('button', { name: 'Kill' }).click();
    await page.getByText(`${ODD_NAME} is killed`).waitFor();
    await page.goto(`${bed.router.adminUrl}/#/journal`);
    await page.getByText(`<b>${ODD_NAME}</b>`).waitFor();
    assert.equal(await page.locator('img[src=x], main b b').count(), 0);
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('shifts the split after asking why, and journals who did it', async () => {
    const { page, faults } = await bed.enter('#/features/images');
    await page.getByLabel('Share in percent').fill('25');
    await page.getByRole('button', { name: 'Shift' }).click();
    await dialog(page)
      .getByText('About 25 % of the keys are answered by image-api, the others by monolith')
      .waitFor();
    const submit = dialog(page).getByRole('button', { name: 'Shift' });
    await submit.click();
    assert.equal(await dialog(page).isVisible(), true, 'nothing is done without a reason');
    assert.equal((await bed.feature())['percent'], 10);
    await dialog(page).getByLabel('Why').fill('a quiet weekend');
    await submit.click();
    await page.getByRole('img', { name: 'image-api 25 %, monolith 75 %' }).waitFor();
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal((await bed.feature())['percent'], 25);
    const { who, why, action, ungated } = await bed.lastEntry();
    assert.deepEqual(
      { who, why, action, ungated },
      { who: 'ana', why: 'a quiet weekend', action: 'shift', ungated: true },
    );
    await page.getByText('a quiet weekend').waitFor();
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('rolls back, kills and resumes, and shows the new state at once', async () => {
    const { page, faults } = await bed.enter('#/features/images');
    const act = async (name: string, consequence: string): Promise<void> => {
      await button(page, name).click();
      await dialog(page).getByText(consequence).waitFor();
      await dialog(page).getByLabel('Why').fill(`to see ${name}`);
      await dialog(page).getByRole('button', { name }).click();
      await dialog(page).waitFor({ state: 'detached' });
    };
    await act('Roll back', 'Every request of images is answered by monolith at once');
    await page.getByRole('img', { name: 'image-api 0 %, monolith 100 %' }).waitFor();
    assert.equal((await bed.feature())['percent'], 0);
    await act('Kill', 'Every request of images is answered by monolith at once, whatever');
    await page.locator('.mark', { hasText: 'killed' }).first().waitFor();
    assert.equal((await bed.feature())['state'], 'DISABLED');
    await act('Resume', 'The kill of images is undone');
    await until(async () => (await bed.feature())['state'] === 'ENABLED', 'the end of the kill');
    await act(
      'Promote',
      'Every request of images is answered by image-api; monolith answers the reads it fails at.',
    );
    await page.getByRole('list', { name: 'Stage: live' }).waitFor();
    assert.deepEqual(faults, []);
    // What the router refuses is said with its reason, and nothing is done.
    await button(page, 'Promote').click();
    await dialog(page).getByLabel('Why').fill('too early');
    await dialog(page).getByRole('button', { name: 'Promote' }).click();
    await dialog(page).getByRole('alert').getByText(/\w{4}/).waitFor();
    assert.equal((await bed.feature())['stage'], 'live');
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('does not undo what somebody else did meanwhile', async () => {
    const { page } = await bed.enter('#/features/images');
    await button(page, 'Roll back').click();
    await bed.router.change('/images/split', { percent: 40 });
    await dialog(page).getByLabel('Why').fill('ten is too much');
    await dialog(page).getByRole('button', { name: 'Roll back' }).click();
    await dialog(page).getByText('It was in canary at 10 %; now it is in canary at 40 %').waitFor();
    assert.equal((await bed.feature())['percent'], 40);
    await dialog(page).getByRole('button', { name: 'Roll back' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal((await bed.feature())['percent'], 0);
    await page.context().close();
  });
});
