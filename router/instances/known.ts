import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** The last instances known of an upstream, on disk, so that a router which starts while its registry is gone knows whom to ask. */
export interface KnownInstances {
  /** Those last written of this service; empty when there are none, or of another one. */
  read(service: string): readonly string[];
  write(service: string, urls: readonly string[]): void;
}

/** Keeps them in `file`. Several processes may write it: each writes it whole. A disk that takes nothing costs no more than the memory of it. */
export function knownInstances(
  file: string,
  log: { warn(fields: object, message: string): void },
): KnownInstances {
  let last = '';
  return {
    read(service) {
      try {
        const found = JSON.parse(readFileSync(file, 'utf8')) as { service: string; urls: string[] };
        return found.service === service && found.urls.every((url) => URL.canParse(url)) ? found.urls : [];
      } catch {
        return [];
      }
    },
    write(service, urls) {
      const text = `${JSON.stringify({ service, urls, at: new Date().toISOString() })}\n`;
      if (urls.join() === last) return;
      try {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(`${file}.${process.pid}`, text);
        renameSync(`${file}.${process.pid}`, file);
        last = urls.join();
      } catch (err) {
        log.warn({ err, file }, 'the instances known could not be kept on disk');
      }
    },
  };
}
