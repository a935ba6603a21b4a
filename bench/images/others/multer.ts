import { open } from 'node:fs/promises';
import express from 'express';
import multer from 'multer';

/** The least that takes an upload: `node multer.ts PORT FOLDER [synced]`. Each file stays in the folder; synced, it and its name are on the disk when that is told. */
const [port, dir, isSynced] = process.argv.slice(2);
const app = express();
const receive = multer({
  storage: multer.diskStorage({ destination: dir! }),
  limits: { fileSize: 25 * 2 ** 20 },
});
app.post('/products/1/images', receive.single('image'), async (request, response) => {
  for (const path of isSynced ? [request.file!.path, dir!] : []) {
    const handle = await open(path);
    await handle.sync().finally(() => handle.close());
  }
  response.status(201).json({ bytes: request.file!.size });
});
app.listen(Number(port), '127.0.0.1');
