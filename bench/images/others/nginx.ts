import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MODULE = '/usr/lib/nginx/modules/ngx_http_image_filter_module.so';
const PACKAGES = ['nginx-light', 'libnginx-mod-http-image-filter'];

/** Installs nginx with its image_filter where that is missing and root asks; else a sentence that says why it is left out. */
export function missingNginx(): string | null {
  if (existsSync(MODULE)) return null;
  const install = `apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${PACKAGES.join(' ')}`;
  if (
    process.getuid!() === 0 &&
    spawnSync('sh', ['-c', install], { stdio: 'ignore' }).status === 0 &&
    existsSync(MODULE)
  )
    return null;
  return `nginx image_filter is left out: it needs ${PACKAGES.join(' and ')} (as root: apt-get install ${PACKAGES.join(' ')})`;
}

/** nginx with two workers; what is below `/` it makes 320 pixels wide in the format it has, at the service's qualities. */
export function startNginx(dir: string, port: number, pictures: string): ChildProcess {
  const config = join(dir, 'nginx.conf');
  writeFileSync(
    config,
    `load_module ${MODULE}; daemon off; worker_processes 2; pid ${join(dir, 'nginx.pid')}; error_log stderr crit;
${process.getuid!() === 0 ? 'user root;' : ''}
events { worker_connections 256; }
http {
  access_log off; keepalive_requests 100000000; types { image/jpeg jpeg; image/png png; image/webp webp; }
  client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  server { listen 127.0.0.1:${port}; root ${pictures};
    location / { image_filter resize 320 -; image_filter_buffer 64M; image_filter_jpeg_quality 82; image_filter_webp_quality 80; } }
}
`,
  );
  return spawn('nginx', ['-c', config, '-p', dir], { stdio: ['ignore', 'ignore', 'inherit'] });
}
