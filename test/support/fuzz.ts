/**
 * How often a property is tried: `usual` times in `make test`, and FUZZ_FACTOR times as often in `make test-long`. fast-check prints the seed of
 * what it finds.
 */
export function runs(usual: number): number {
  const factor = Number(process.env['FUZZ_FACTOR'] ?? 1);
  if (!(factor > 0)) throw new Error(`FUZZ_FACTOR=${process.env['FUZZ_FACTOR']} is not a number above 0`);
  return Math.ceil(usual * factor);
}
