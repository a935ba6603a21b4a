import type { Received } from '../../extracted/image-api/upload.ts';
import { createReceiving } from '../../extracted/image-api/receiving.ts';
import type { Kind } from '../../extracted/image-api/wish.ts';

const receive = createReceiving();

/** What an upload of these bytes is once it has been received at `path`, where nothing is yet. */
export async function received(path: string, bytes: Buffer, kind: Kind): Promise<Received> {
  const file = receive(path);
  await new Promise<void>((resolve, reject) =>
    file.write(bytes, (error) => (error ? reject(error) : resolve())),
  );
  return { path, kind, size: bytes.length, alt: '', ...(await file.end(kind)) };
}
