import express from 'express';
import multer from 'multer';

/** The least that takes an upload: `node multer.ts PORT FOLDER`. Each file stays in the folder. */
const [port, dir] = process.argv.slice(2);
const app = express();
const receive = multer({
  storage: multer.diskStorage({ destination: dir! }),
  limits: { fileSize: 25 * 2 ** 20 },
});
app.post('/products/1/images', receive.single('image'), (request, response) => {
  response.status(201).json({ bytes: request.file!.size });
});
app.listen(Number(port), '127.0.0.1');
