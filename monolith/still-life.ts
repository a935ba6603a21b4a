import { fieldOf, type Turned } from './turned.ts';

/** Linear red, green and blue, 0 to 1. */
export type Rgb = readonly [number, number, number];

/** A product as it stands before the camera. */
export interface Still extends Turned {
  readonly colour: Rgb;
  /** A second glaze above this height. */
  readonly glaze?: { readonly from: number; readonly colour: Rgb };
  /** 0: matt clay, 1: polished. */
  readonly shine: number;
  /** Light passes; `colour` is what a centimetre leaves of it. */
  readonly isGlass?: boolean;
  /** Its upper part is a lit shade of this strength. */
  readonly glow?: number;
  readonly wall: Rgb;
  readonly table: Rgb;
}

/** Turns around the object, in radians, and nearer (below 1) or further. */
export interface View {
  readonly angle: number;
  readonly distance: number;
  readonly lift: number;
}

type Vector = [number, number, number];

/** Light at a point of the picture: `u` from left to right, `v` up, both from −0.5 to 0.5 of its height; written to `out`. True on the object. */
export type Shade = (u: number, v: number, out: Float64Array) => boolean;

const WARM: Rgb = [1, 0.72, 0.38];

/** A room with a window on the left, a table, a wall out of focus behind it, and the object. */
export function roomWith(still: Still, view: View): Shade {
  const field = fieldOf(still);
  const { wall, table, shine } = still;
  const glow = still.glow ?? 0;
  const reach = (1.75 + Math.max(still.height * 1.15, field.widest * 1.75)) * view.distance;
  const middle = still.height * 0.46;
  const eye: Vector = [
    Math.sin(view.angle) * reach,
    middle + view.lift * reach,
    Math.cos(view.angle) * reach,
  ];
  const forward = unit([-eye[0], middle - eye[1], -eye[2]]);
  const right = unit([-forward[2], 0, forward[0]]);
  const up: Vector = [
    right[1] * forward[2] - right[2] * forward[1],
    right[2] * forward[0] - right[0] * forward[2],
    right[0] * forward[1] - right[1] * forward[0],
  ];
  // The window stays on the left of the picture, whichever way the camera goes.
  const lamp = unit([-right[0] * 0.8 - forward[0] * 0.42, 0.72, -right[2] * 0.8 - forward[2] * 0.42]);
  const side = unit([lamp[2], 0, -lamp[0]]);
  const rise: Vector = [
    lamp[1] * side[2] - lamp[2] * side[1],
    lamp[2] * side[0] - lamp[0] * side[2],
    lamp[0] * side[1] - lamp[1] * side[0],
  ];
  const flat = Math.hypot(forward[0], forward[2]);
  const depth = (x: number, z: number): number => (x * forward[0] + z * forward[2]) / flat;

  /** The room without the object, as a ray sees it: table, and the wall behind. */
  const room = (
    x: number,
    y: number,
    z: number,
    dx: number,
    dy: number,
    dz: number,
    out: Float64Array,
    isFine: boolean,
  ): void => {
    const t = dy < -1e-4 ? -y / dy : Infinity;
    const px = x + dx * t;
    const pz = z + dz * t;
    const far = t < Infinity ? depth(px, pz) : Infinity;
    const behind = smooth(1.5, 2.5, far);
    const across = dx * right[0] + dz * right[2];
    // The window's light falls across the wall and fades to the right.
    const fade = 0.5 + 0.55 * Math.exp(-((across + 0.42) ** 2) * 3.2 - (dy - 0.12) ** 2 * 2.5);
    const halo = glow * 0.5 * Math.exp(-(across ** 2 * 9 + (dy + 0.06) ** 2 * 12));
    for (let c = 0; c < 3; c++) out[c] = wall[c]! * fade + halo * WARM[c]!;
    if (behind >= 1) return;
    const r = Math.sqrt(px * px + pz * pz);
    let lit = isFine ? field.light(px, 0.002, pz, lamp[0], lamp[1], lamp[2]) : 1;
    if (still.isGlass) lit = 0.5 + 0.5 * lit;
    const near = isFine && r < field.widest + 0.5 ? corner(px, 0, pz, 0, 1, 0) : 1;
    const wood = grainOf(px, pz, isFine ? 1 - smooth(0.3, 1.8, far) : 0.3);
    // Seen at a low angle, oiled wood mirrors some of the wall.
    const mirror = 0.05 + 0.3 * (1 + Math.min(0, dy)) ** 5;
    const pool = glow * 0.9 * Math.exp(-r * 1.25);
    const falloff = 1.12 - 0.2 * smooth(-1.5, 2.5, px * right[0] + pz * right[2]);
    for (let c = 0; c < 3; c++) {
      const ground =
        table[c]! * wood * ((0.82 * lit * falloff + 0.26) * near + pool * WARM[c]!) +
        mirror * wall[c]! * 0.5 * near;
      out[c] = ground + (out[c]! - ground) * behind;
    }
  };

  /** How much of its surroundings a point sees: corners and contacts are dark. */
  const corner = (x: number, y: number, z: number, nx: number, ny: number, nz: number): number => {
    let hidden = 0;
    for (let i = 1, weight = 1; i <= 4; i++, weight *= 0.72) {
      const h = 0.055 * i;
      hidden += weight * Math.max(0, h - field.distance(x + nx * h, y + ny * h, z + nz * h));
    }
    return Math.max(0.12, 1 - 2.6 * hidden);
  };

  /** The window in a mirror: two panes wide, two high, the frame between them; `blur` softens its edges. */
  const reflected = (x: number, y: number, z: number, blur: number): number => {
    const facing = x * lamp[0] + y * lamp[1] + z * lamp[2];
    if (facing <= 0.05) return 0;
    const a = Math.abs((x * side[0] + y * side[1] + z * side[2]) / facing);
    const b = Math.abs((x * rise[0] + y * rise[1] + z * rise[2]) / facing);
    const pane = (at: number, edge: number): number =>
      1 - smooth(edge - blur, edge + blur, at) - Math.max(0, 0.9 - blur * 4) * (1 - smooth(0.012, 0.04, at));
    return Math.max(0, pane(a, 0.34)) * Math.max(0, pane(b, 0.46));
  };

  const behindGlass = new Float64Array(3);
  return (u, v, out) => {
    const k = 0.78;
    const shorten = 1 / Math.sqrt(1 + (u * u + v * v) * k * k);
    const dx = (forward[0] + (right[0] * u + up[0] * v) * k) * shorten;
    const dy = (forward[1] + (right[1] * u + up[1] * v) * k) * shorten;
    const dz = (forward[2] + (right[2] * u + up[2] * v) * k) * shorten;
    const t = field.march(eye[0], eye[1], eye[2], dx, dy, dz);
    if (t === Infinity) {
      room(eye[0], eye[1], eye[2], dx, dy, dz, out, true);
      return false;
    }
    const x = eye[0] + dx * t;
    const y = eye[1] + dy * t;
    const z = eye[2] + dz * t;
    const e = 0.006;
    const [nx, ny, nz] = unit([
      field.distance(x + e, y, z) - field.distance(x - e, y, z),
      field.distance(x, y + e, z) - field.distance(x, y - e, z),
      field.distance(x, y, z + e) - field.distance(x, y, z - e),
    ]);
    const open = corner(x, y, z, nx, ny, nz);
    const facing = nx * lamp[0] + ny * lamp[1] + nz * lamp[2];
    // A window is wide: its light reaches a little around the curve.
    const wrap = Math.max(0, (facing + 0.18) / 1.18);
    const lit =
      wrap > 0
        ? wrap * field.light(x + nx * 0.02, y + ny * 0.02, z + nz * 0.02, lamp[0], lamp[1], lamp[2])
        : 0;
    const back = -2 * (dx * nx + dy * ny + dz * nz);
    const [mx, my, mz] = [dx + nx * back, dy + ny * back, dz + nz * back];
    const graze = (1 - Math.min(1, back / 2)) ** 5;
    const fresnel = 0.045 + 0.7 * graze * shine;
    const blur = 0.05 + 0.5 * (1 - shine) ** 2;
    const window =
      reflected(mx, my, mz, blur) * (lit > 0.02 || still.isGlass ? 1 : 0.25) * (0.06 + 0.94 * shine * shine);
    const line = still.glaze ? still.glaze.from + 0.05 * (softNoise(Math.atan2(z, x) * 2.4 + 9, 3) - 0.5) : 0;
    const covered = still.glaze ? smooth(line - 0.008, line + 0.008, y) : 0;
    const speckle =
      1 - (1 - shine) * 0.34 * smooth(0.8, 0.92, softNoise(Math.atan2(z, x) * 58 + 200, y * 66 + 7));
    const shade = smooth(0.5, 0.58, y / still.height) * (0.72 + 0.28 * Math.max(0, back / 2));
    if (still.isGlass)
      room(x, y, z, ...unit([dx - nx * 0.16, dy - ny * 0.16, dz - nz * 0.16]), behindGlass, false);
    const thick = still.isGlass ? inside(x, y, z, dx, dy, dz) : 0;
    for (let c = 0; c < 3; c++) {
      const own = (still.colour[c]! + ((still.glaze?.colour[c] ?? 0) - still.colour[c]!) * covered) * speckle;
      const sky = (0.2 + 0.22 * wall[c]!) * (0.55 + 0.45 * ny) * open;
      const bounce = table[c]! * 0.34 * Math.max(0, 0.6 - ny) * Math.exp(-y * 1.1) * open;
      const body = still.isGlass
        ? behindGlass[c]! * still.colour[c]! ** (thick * 4) + own * 0.1 * lit
        : own * (0.9 * lit + sky + bounce);
      // What a glossy side mirrors of the room: the wall above, the table below.
      const around = (my > 0 ? wall[c]! * 0.75 : table[c]! * 0.5) * open;
      const emitted = glow * shade * (0.35 + 0.75 * WARM[c]!) * 1.15;
      out[c] =
        body * (1 - fresnel * shine) * (1 - 0.6 * glow * shade) +
        fresnel * shine * around +
        window * (0.5 + 3 * fresnel) +
        emitted;
    }
    return true;
  };

  /** Length of a ray within the material; a foot counts for more, as its light comes from below through all of it. */
  function inside(x: number, y: number, z: number, dx: number, dy: number, dz: number): number {
    const step = (field.widest * 2.4) / 32;
    let length = 0.22 * (1 - smooth(0, 0.2, y));
    for (let i = 1; i <= 32; i++) {
      if (y + dy * step * i < 0) break;
      const d = field.distance(x + dx * step * i, y + dy * step * i, z + dz * step * i);
      // A step that is partly inside counts in part; without that, the steps show as stripes.
      length += step * Math.max(0, Math.min(1, 0.5 - d / step));
    }
    return length;
  }
}

/** Planks with fibres along x. `detail` fades to 0 where the camera is out of focus. */
function grainOf(x: number, z: number, detail: number): number {
  const plank = Math.floor((z + 40.3) / 0.9);
  const shift = plank * 7.31;
  const wave = softNoise(x * 0.55 + shift, z * 2.2) * 2.6;
  const rings = Math.sin(z * 15 + wave * 4 + shift);
  const fibre = softNoise(x * 2.3 + shift, z * 70 + 300) - 0.5;
  const seam = Math.abs((z + 40.3) / 0.9 - plank - 0.5) * 2;
  return (
    1 +
    (((plank * 37) % 7) - 3) * 0.022 +
    detail * (0.07 * rings + 0.16 * fibre - 0.45 * smooth(0.982, 0.995, seam))
  );
}

/** Value noise, 0 to 1. */
function softNoise(x: number, y: number): number {
  const i = Math.floor(x);
  const j = Math.floor(y);
  const fx = x - i;
  const fy = y - j;
  const sx = fx * fx * (3 - 2 * fx);
  const sy = fy * fy * (3 - 2 * fy);
  const low = lattice(i, j) + (lattice(i + 1, j) - lattice(i, j)) * sx;
  const high = lattice(i, j + 1) + (lattice(i + 1, j + 1) - lattice(i, j + 1)) * sx;
  return low + (high - low) * sy;
}

function lattice(i: number, j: number): number {
  let h = Math.imul(i, 374761393) + Math.imul(j, 668265263);
  h = Math.imul(h ^ (h >>> 13), 1274126177);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

function smooth(from: number, to: number, at: number): number {
  const t = Math.max(0, Math.min(1, (at - from) / (to - from)));
  return t * t * (3 - 2 * t);
}

function unit([x, y, z]: Vector): Vector {
  const length = Math.sqrt(x * x + y * y + z * z) || 1;
  return [x / length, y / length, z / length];
}
