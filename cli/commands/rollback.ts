import { change, type ChangeOptions } from '../client.ts';
import { percentText, print } from '../output.ts';

/** Everybody to the default upstream at once; `--to` names an earlier stage. */
export async function rollbackCommand(
  feature: string,
  options: ChangeOptions & { readonly to?: string },
): Promise<void> {
  const now = await change(options, feature, 'rollback', options.to === undefined ? {} : { to: options.to });
  print(options, now, () => [
    `${now.name} is in ${now.stage} at ${percentText(now.percent)}: ${now.default} answers everybody`,
  ]);
}
