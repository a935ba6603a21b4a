import express from 'express';
import multer from 'multer';
import { sync } from '../../../extracted/image-api/sync.ts';

/** The least that takes an upload: `node multer.ts PORT FOLDER [synced]`. Each file stays in the folder; synced, it and its name are on the disk when that is told. */
const [port, dir, isSynced] = process.argv.slice(2);
const app = express();
const receive = multer({
  storage: multer.diskStorage({ destination: dir! }),
  limits: { fileSize: 25 * 2 ** 20 },
});
app.post('/products/1/images', receive.single('image'), async (request, response) => {
  if (isSynced) for (const path of [request.file!.path, dir!]) await sync(path);
  response.status(201).json({ bytes: request.file!.size });
});
app.listen(Number(port), '127.0.0.1');
