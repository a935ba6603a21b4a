import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { Problem } from '../problem.ts';
import { document } from './document.ts';

const PACKAGE = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));
/** Of the package's files those that the page needs. */
const FILES: readonly string[] = ['swagger-ui.css', 'swagger-ui-bundle.js'];
const START = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null });\n`;
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>image-api</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`;
/** The page loads nothing from elsewhere and is in no frame; its pictures are drawn in its style sheet. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `/openapi.json`, and `/docs`, which renders it with what is installed here: it works without the internet. */
export function docsRoutes(): express.Router {
  const router = express.Router();
  const text = JSON.stringify(document);
  // Express adds the ETag and answers 304; asked anew each time, so that a new version is seen at once.
  router.use(['/openapi.json', '/docs'], (_request, response, next) => {
    response.set('cache-control', 'no-cache');
    next();
  });
  router.get('/openapi.json', (_request, response) => void response.type('application/json').send(text));
  router.get('/docs', (request, response) => {
    // The page names its files as they are seen from beside it.
    if (request.path.endsWith('/')) response.redirect(308, '../docs');
    else response.set('content-security-policy', POLICY).type('html').send(PAGE);
  });
  router.get('/docs/:file', (request, response, next) => {
    const { file } = request.params;
    if (file === 'start.js') response.type('js').send(START);
    else if (FILES.includes(file))
      response.sendFile(file, { root: PACKAGE, cacheControl: false, acceptRanges: false }, next);
    else throw new Problem(404, `nothing is at GET ${request.path}`);
  });
  return router;
}
