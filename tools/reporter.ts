import { writeSync } from 'node:fs';
import Mocha from 'mocha';

/**
 * Mocha's spec reporter, and as the very last line `N passed, N failed`. The line is written when the process exits, so that it
 * agrees with the exit code: a crash after the last test, or before the first, counts as a failure.
 */
export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    let isFinished = false;
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      isFinished = true;
    });
    process.once('exit', (code) => {
      const { passes, failures } = this.stats;
      const failed = failures === 0 && (code !== 0 || !isFinished) ? 1 : failures;
      if (failed > 0 && code === 0) process.exitCode = 1;
      // Synchronous: nothing else is written once a process exits.
      writeSync(1, `${passes} passed, ${failed} failed\n`);
    });
  }
}
