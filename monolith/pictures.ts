import sharp from 'sharp';

/**
 * Product photographs that the seed makes itself: still lifes of turned objects on a table, rendered by marching rays through distance
 * fields (J. C. Hart, "Sphere tracing", 1996), lit by a window from the left, with soft shadows and a little film grain. Deterministic.
 */
export interface Still {
  /** Radius of the object at a height from 0 to `height`; what a potter's profile is. */
  readonly profile: (y: number) => number;
  readonly height: number;
  /** Linear RGB, 0 to 1. */
  readonly colour: Rgb;
  /** A second glaze above this height. */
  readonly glaze?: { readonly from: number; readonly colour: Rgb };
  /** 0: matt clay, 1: polished. */
  readonly shine: number;
  /** Inner side is open from above. */
  readonly isVessel: boolean;
  readonly hasHandle?: boolean;
  readonly wall: Rgb;
  readonly table: Rgb;
  /** A glowing lamp shade. */
  readonly glow?: number;
  /** Turns the light and the camera a little: pictures of one product differ. */
  readonly view?: number;
}

export type Rgb = readonly [number, number, number];
type Vector = [number, number, number];

const RENDERED = { width: 600, height: 450 };
const SIZE = { width: 1200, height: 900 };

/** A JPEG of 1200 × 900 pixels. */
export async function photograph(still: Still): Promise<Buffer> {
  const { width, height } = RENDERED;
  const pixels = Buffer.alloc(width * height * 3);
  const scene = sceneOf(still);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = shade(scene, (x + 0.5 - width / 2) / height, (height / 2 - y - 0.5) / height);
      for (let c = 0; c < 3; c++)
        pixels[(y * width + x) * 3 + c] = Math.round(255 * Math.min(1, Math.max(0, colour[c]!)) ** (1 / 2.2));
    }
  }
  const large = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize({ ...SIZE, kernel: 'cubic' })
    .raw()
    .toBuffer();
  grain(large);
  return sharp(large, { raw: { ...SIZE, channels: 3 } })
    .jpeg({ quality: 86 })
    .toBuffer();
}

interface Scene {
  readonly still: Still;
  readonly eye: Vector;
  readonly right: Vector;
  readonly up: Vector;
  readonly forward: Vector;
  readonly light: Vector;
  readonly widest: number;
}

function sceneOf(still: Still): Scene {
  const angle = 0.25 + (still.view ?? 0);
  const target: Vector = [0, still.height * 0.48, 0];
  const distance = 2.2 + still.height * 1.05;
  const eye: Vector = [Math.sin(angle) * distance, still.height * 0.5 + 0.9, Math.cos(angle) * distance];
  const forward = unit(minus(target, eye));
  const right = unit(cross(forward, [0, 1, 0]));
  let widest = 0;
  for (let y = 0; y <= still.height; y += 0.02) widest = Math.max(widest, still.profile(y));
  return {
    still,
    eye,
    forward,
    right,
    up: cross(right, forward),
    light: unit([-0.75, 0.85, 0.35 - (still.view ?? 0) / 2]),
    widest: widest + (still.hasHandle ? 0.45 : 0),
  };
}

/** Distance to the object, roughly: a turned profile is not a true distance field, so steps are shortened. */
function distance({ still }: Scene, p: Vector): number {
  const r = Math.hypot(p[0], p[2]);
  const y = Math.min(still.height, Math.max(0, p[1]));
  const radius = still.profile(y);
  const outside = Math.hypot(Math.max(0, r - radius), p[1] - y);
  const side = r - radius;
  let body = p[1] >= 0 && p[1] <= still.height ? side : outside;
  if (still.isVessel) {
    const inner = Math.max(radius - 0.07, 0) - r;
    const hollow = Math.max(-inner, 0.1 - p[1]);
    body = Math.max(body, -hollow);
  }
  if (still.hasHandle) body = Math.min(body, torus(p, radius));
  return body;
}

function torus(p: Vector, radius: number): number {
  const x = p[0] - radius - 0.06;
  const y = p[1] - 0.55;
  const ring = Math.hypot(x * 1.1, y) - 0.3;
  return Math.hypot(ring, p[2]) - 0.062;
}

/** Where a ray meets the object; Infinity when it misses. Only the object's bounding cylinder is marched through. */
function march(scene: Scene, from: Vector, direction: Vector, limit: number): number {
  const { widest, still } = scene;
  const b = from[0] * direction[0] + from[2] * direction[2];
  const a = direction[0] ** 2 + direction[2] ** 2;
  const c = from[0] ** 2 + from[2] ** 2 - (widest + 0.05) ** 2;
  const root = b * b - a * c;
  if (root < 0) return Infinity;
  let t = Math.max(0.001, (-b - Math.sqrt(root)) / a);
  const end = Math.min(limit, (-b + Math.sqrt(root)) / a);
  for (let step = 0; step < 90 && t < end; step++) {
    const p: Vector = [from[0] + direction[0] * t, from[1] + direction[1] * t, from[2] + direction[2] * t];
    if (p[1] > still.height + 0.6 && direction[1] > 0) return Infinity;
    const d = distance(scene, p);
    if (d < 0.002) return t;
    t += Math.max(0.004, d * 0.6);
  }
  return Infinity;
}

function shade(scene: Scene, u: number, v: number): Rgb {
  const { still, eye, right, up, forward } = scene;
  const direction = unit(
    [0, 1, 2].map((i) => forward[i]! + right[i]! * u * 0.95 + up[i]! * v * 0.95) as Vector,
  );
  const hit = march(scene, eye, direction, 20);
  if (hit < Infinity) return object(scene, along(eye, direction, hit), direction);
  const floor = direction[1] < 0 ? -eye[1] / direction[1] : Infinity;
  const p = floor < Infinity ? along(eye, direction, floor) : null;
  if (!p || p[2] < -2.6) {
    const fade = 0.55 + 0.5 * Math.exp(-((u + 0.55) ** 2 + (v - 0.25) ** 2) * 1.6);
    return still.wall.map((each) => each * fade) as unknown as Rgb;
  }
  // Wood grain, the object's soft shadow, and the darkness where it stands.
  const r = Math.hypot(p[0], p[2]);
  const contact = 1 - 0.55 * Math.exp(-Math.max(0, r - still.profile(0)) * 7);
  const lit = 0.38 + 0.62 * shadow(scene, p);
  const fibre =
    1 +
    0.03 * Math.sin(p[2] * 23 + Math.sin(p[0] * 1.7) * 2.2) +
    0.025 * noise(Math.floor(p[2] * 60), Math.floor(p[0] * 2.5), 1);
  const back = 1 / (1 + Math.max(0, -p[2]) * 0.22);
  const lamp = (still.glow ?? 0) * Math.exp(-r * 1.1) * 0.5;
  return still.table.map(
    (each, i) => each * (lit * contact * fibre * back + 0.05) + lamp * [1, 0.75, 0.42][i]!,
  ) as unknown as Rgb;
}

/** Part of the window that a point sees: four rays over its width make the edge soft. */
function shadow(scene: Scene, p: Vector): number {
  let open = 0;
  for (const [dx, dz] of [
    [-0.12, -0.05],
    [0.1, -0.1],
    [-0.03, 0.12],
    [0.14, 0.09],
  ] as const) {
    const to = unit([scene.light[0] + dx, scene.light[1], scene.light[2] + dz]);
    if (march(scene, along(p, to, 0.02), to, 8) === Infinity) open += 0.25;
  }
  return open;
}

function object(scene: Scene, p: Vector, view: Vector): Rgb {
  const { still, light } = scene;
  const e = 0.004;
  const normal = unit(
    [0, 1, 2].map((i) => distance(scene, shifted(p, i, e)) - distance(scene, shifted(p, i, -e))) as Vector,
  );
  const facing = Math.max(0, dot(normal, light));
  const lit = facing > 0 ? facing * shadow(scene, along(p, normal, 0.015)) : 0;
  const sky = 0.5 + 0.5 * normal[1];
  const bounce = Math.max(0, -normal[1]) * 0.3 + Math.max(0, 0.35 - p[1]) * 0.25;
  const mirrored = minus(view, normal.map((each) => each * 2 * dot(view, normal)) as Vector);
  const highlight =
    Math.max(0, dot(mirrored, light)) ** (12 + 90 * still.shine) *
    (0.15 + 0.85 * still.shine) *
    (lit > 0 ? 1 : 0.1);
  const rim = (1 + dot(view, normal)) ** 4 * 0.25 * still.shine;
  const base =
    still.glaze && p[1] > still.glaze.from + 0.03 * Math.sin(Math.atan2(p[2], p[0]) * 5)
      ? still.glaze.colour
      : still.colour;
  const speckle = 1 - 0.12 * Math.max(0, noise(p[0] * 31, p[1] * 31, p[2] * 31) - 0.55);
  return base.map(
    (each, i) =>
      each * speckle * (0.95 * lit + 0.28 * sky + bounce * still.table[i]! + 0.04) +
      highlight * 0.55 +
      rim +
      (still.glow ?? 0) * [1, 0.8, 0.5][i]! * (p[1] > still.height * 0.55 ? 0.85 : 0.06),
  ) as unknown as Rgb;
}

function grain(pixels: Buffer): void {
  let state = 12345;
  for (let i = 0; i < pixels.length; i += 3) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const speck = ((state >>> 24) / 255 - 0.5) * 7;
    for (let c = 0; c < 3; c++) pixels[i + c] = Math.min(255, Math.max(0, pixels[i + c]! + speck));
  }
}

const noise = (x: number, y: number, z: number): number => {
  const s = Math.sin(x * 12.9898 + y * 78.233 + z * 37.719) * 43758.5453;
  return s - Math.floor(s);
};
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const unit = (a: Vector): Vector => {
  const length = Math.hypot(...a) || 1;
  return [a[0] / length, a[1] / length, a[2] / length];
};
const along = (from: Vector, direction: Vector, t: number): Vector => [
  from[0] + direction[0] * t,
  from[1] + direction[1] * t,
  from[2] + direction[2] * t,
];
const shifted = (p: Vector, axis: number, by: number): Vector =>
  p.map((each, i) => (i === axis ? each + by : each)) as Vector;
