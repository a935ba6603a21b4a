import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { faultLine, type Fault } from '@strangler-kit/router/config/fault.ts';
import { missingPackages } from '@strangler-kit/router/config/packages.ts';
import { parseConfig } from '@strangler-kit/router/config/parse.ts';
import { readFlags } from '@strangler-kit/router/flags/read.ts';
import { Failure, print } from '../output.ts';

interface Found extends Fault {
  readonly file: string;
}

/** Checks the config and its flags as a start would. Faults: exit 2, one line each with file and line. Warnings don't change the exit code. */
export function checkCommand(options: { readonly config: string; readonly json?: boolean }): void {
  const faults: Found[] = [];
  const warnings: Found[] = [];
  const text = read(options.config, faults);
  const parsed = text === null ? null : parseConfig(text, process.env);
  if (parsed) {
    faults.push(...parsed.faults.map((fault) => ({ ...fault, file: options.config })));
    warnings.push(...parsed.warnings.map((fault) => ({ ...fault, file: options.config })));
  }
  if (parsed?.config) {
    const missing = missingPackages(parsed.config);
    warnings.push(...missing.map((fault) => ({ ...fault, file: options.config })));
    // With etcd, the file is what its key is made from; what the key holds is not asked for here.
    const { file } = parsed.config.flags;
    const path = file === undefined ? null : resolve(dirname(options.config), file);
    const flags = path === null ? null : read(path, faults);
    if (path !== null && flags !== null)
      faults.push(...readFlags(flags, parsed.config).faults.map((fault) => ({ ...fault, file: path })));
  }
  const warned = warnings.map((fault) => `warning: ${faultLine(fault.file, fault)}`);
  if (options.json) print(options, { ok: faults.length === 0, faults, warnings }, () => []);
  if (faults.length > 0)
    throw new Failure(
      2,
      options.json ? [] : [...faults.map((fault) => faultLine(fault.file, fault)), ...warned],
    );
  if (!options.json) {
    for (const line of warned) process.stderr.write(`${line}\n`);
    print(options, null, () => [
      `${options.config} and its flags are good: ${Object.keys(parsed!.config!.features).length} feature(s)`,
    ]);
  }
}

function read(path: string, faults: Found[]): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    faults.push({ file: path, line: null, path: '', message: `can't be read: ${(error as Error).message}` });
    return null;
  }
}
