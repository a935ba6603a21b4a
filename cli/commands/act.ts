import { change, type ChangeOptions } from '../client.ts';
import { percentText, print } from '../output.ts';

/** The changes that need nothing but a reason. */
export async function actCommand(
  verb: 'promote' | 'pause' | 'resume' | 'kill',
  feature: string,
  options: ChangeOptions,
): Promise<void> {
  const now = await change(options, feature, verb);
  const ramp = now.ramp.state === 'none' ? '' : `, ramp ${now.ramp.state}: ${now.ramp.text}`;
  print(options, now, () => [
    `${now.name} is ${now.state === 'DISABLED' ? 'KILLED, ' : ''}in ${now.stage}${now.stage === 'canary' ? ` at ${percentText(now.percent)}` : ''}${ramp}`,
  ]);
}
