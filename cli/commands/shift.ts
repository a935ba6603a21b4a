import { change, type ChangeOptions } from '../client.ts';
import { Failure, percentText, print } from '../output.ts';

/** Sets the share of the service. Past the gates, and journalled so. */
export async function shiftCommand(feature: string, percent: string, options: ChangeOptions): Promise<void> {
  if (!/^\d{1,3}$/.test(percent) || Number(percent) > 100)
    throw new Failure(2, [`${percent} is not a whole number from 0 to 100`]);
  const now = await change(options, feature, 'split', { percent: Number(percent) });
  print(options, now, () => [`${now.name}: ${percentText(now.percent)} of the keys go to ${now.upstream}`]);
}
