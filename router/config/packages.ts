import type { Fault } from './fault.ts';
import type { Config } from './schema.ts';

/** Says whether a package is there, as the router would import it. */
export function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** What the config needs and the machine lacks. Without the package the router works, and compares no pictures. */
export function missingPackages(config: Config, has: (name: string) => boolean = isInstalled): Fault[] {
  return Object.entries(config.features)
    .filter(([, { shadow }]) => shadow?.compare === 'image' && !has('sharp'))
    .map(([name]) => ({
      line: null,
      path: `features.${name}.shadow.compare`,
      message:
        'pictures are compared with the package sharp, which is not installed: npm install sharp, or compare bytes',
    }));
}
