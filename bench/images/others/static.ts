import express from 'express';

/** Files as Express serves them: `node static.ts PORT FOLDER`. */
const [port, dir] = process.argv.slice(2);
const app = express();
app.use(express.static(dir!, { maxAge: 3_600_000 }));
app.listen(Number(port), '127.0.0.1');
