import { createServer } from 'node:http';
import { createIPX, createIPXNodeServer, ipxFSStorage } from 'ipx';

/** ipx as its documentation has it: `node ipx.ts PORT FOLDER`. */
const [port, dir] = process.argv.slice(2);
const ipx = createIPX({ storage: ipxFSStorage({ dir: dir! }), maxAge: 3600 });
createServer(createIPXNodeServer(ipx)).listen(Number(port), '127.0.0.1');
