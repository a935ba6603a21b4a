/** Something made on a potter's wheel or a lathe. Lengths in decimetres, roughly. */
export interface Turned {
  /** Radius at a height from 0 to `height`. */
  readonly profile: (y: number) => number;
  readonly height: number;
  /** Open from above, with a wall. */
  readonly isVessel: boolean;
  readonly hasHandle?: boolean;
}

/** The space around an object. Points are x, y (up, the table is 0) and z. */
export interface Field {
  readonly height: number;
  /** Radius of the upright cylinder that holds all of it. */
  readonly widest: number;
  /** Distance to the surface, negative inside. */
  distance(x: number, y: number, z: number): number;
  /** Length along a ray (of length 1) to the surface; Infinity when it passes. */
  march(x: number, y: number, z: number, dx: number, dy: number, dz: number): number;
  /** Part of a wide lamp in the direction d that a point sees, 0 to 1 (I. Quilez, "Soft shadows in raymarched SDFs"). */
  light(x: number, y: number, z: number, dx: number, dy: number, dz: number): number;
}

const CELL = 0.016;
const MARGIN = 0.35;
const WALL = 0.06;
const ROUNDING = 0.012;
/** Half the lamp's width seen from the object, as a slope. */
const PENUMBRA = 0.16;

/**
 * An object as a distance field (J. C. Hart, "Sphere tracing", 1996). Turned things are the same all around, so one half of their section tells
 * all: its distances are computed once, on a grid, and looked up afterwards. That makes them true distances, at which rays take
 * few steps, and shadows and dark corners come out soft.
 */
export function fieldOf(object: Turned): Field {
  const section = sectionOf(object);
  const widestProfile = Math.max(...section.map(([r]) => r));
  const columns = Math.ceil((widestProfile + MARGIN) / CELL) + 2;
  const rows = Math.ceil((object.height + 2 * MARGIN) / CELL) + 2;
  const grid = new Float32Array(columns * rows);
  for (let j = 0; j < rows; j++)
    for (let i = 0; i < columns; i++)
      grid[j * columns + i] = toSection(section, i * CELL, j * CELL - MARGIN) - ROUNDING;
  const lastColumn = columns - 1.001;
  const lastRow = rows - 1.001;
  const handleAt = object.profile(0.55);
  const widest = widestProfile + (object.hasHandle ? 0.45 : 0) + 0.02;

  const turned = (x: number, y: number, z: number): number => {
    const u = Math.sqrt(x * x + z * z) / CELL;
    const v = (y + MARGIN) / CELL;
    const cu = Math.min(u, lastColumn);
    const cv = Math.max(0, Math.min(v, lastRow));
    const i = Math.floor(cu);
    const j = Math.floor(cv);
    const fu = cu - i;
    const fv = cv - j;
    const at = j * columns + i;
    const low = grid[at]! + (grid[at + 1]! - grid[at]!) * fu;
    const high = grid[at + columns]! + (grid[at + columns + 1]! - grid[at + columns]!) * fu;
    const inside = low + (high - low) * fv;
    return u === cu && v === cv ? inside : inside + Math.hypot(u - cu, v - cv) * CELL;
  };
  const distance = (x: number, y: number, z: number): number => {
    const body = turned(x, y, z);
    if (!object.hasHandle || body > 1) return body;
    const hx = (x - handleAt - 0.05) * 1.15;
    const hy = y - 0.55;
    const ring = Math.sqrt(hx * hx + hy * hy) - 0.29;
    // Half of the ring would stand in the coffee.
    const handle = Math.max(Math.hypot(ring, z * 0.85) - 0.06, handleAt - Math.hypot(x, z));
    const blend = Math.max(0, 0.07 - Math.abs(body - handle)) / 0.07;
    return Math.min(body, handle) - blend * blend * 0.0175;
  };
  /** From where to where a ray is in the cylinder; `exit` is what `enter` returns no room for. */
  let exit = 0;
  const enter = (x: number, y: number, z: number, dx: number, dy: number, dz: number): number => {
    const a = dx * dx + dz * dz + 1e-12;
    const b = x * dx + z * dz;
    const root = b * b - a * (x * x + z * z - widest * widest);
    if (root < 0) return Infinity;
    const s = Math.sqrt(root);
    const top = (object.height + 0.03 - y) / dy;
    const bottom = -y / dy;
    exit = Math.min((s - b) / a, Math.max(top, bottom));
    return Math.max(0, (-s - b) / a, Math.min(top, bottom));
  };
  return {
    height: object.height,
    widest,
    distance,
    march(x, y, z, dx, dy, dz) {
      let t = enter(x, y, z, dx, dy, dz);
      for (let step = 0; step < 80 && t < exit; step++) {
        const d = distance(x + dx * t, y + dy * t, z + dz * t);
        if (d < 0.0012) return t;
        t += d * 0.95;
      }
      return Infinity;
    },
    light(x, y, z, dx, dy, dz) {
      // Where the way to the lamp is nearest to the axis, the object must be within the half-shadow's reach; most of the table is not.
      const nearest = Math.max(0, -(x * dx + z * dz) / (dx * dx + dz * dz));
      const passing = Math.hypot(x + dx * nearest, z + dz * nearest) - widest;
      if (passing > PENUMBRA * nearest + 0.03) return 1;
      let seen = 1;
      for (let t = 0.03, step = 0; step < 48; step++) {
        const py = y + dy * t;
        const px = x + dx * t;
        const pz = z + dz * t;
        if (py > object.height + 0.3 || px * px + pz * pz > (widest + 1.2) ** 2) break;
        const d = distance(px, py, pz);
        seen = Math.min(seen, 0.5 + (0.5 * d) / (PENUMBRA * t));
        if (seen < 0) return 0;
        t += Math.max(0.025, Math.abs(d) * 0.8);
      }
      return seen * seen * (3 - 2 * seen);
    },
  };
}

/** The closed outline of the right half, from the foot outwards, up, and back to the axis. */
function sectionOf({ profile, height, isVessel }: Turned): [r: number, y: number][] {
  const steps = 44;
  const outline: [number, number][] = [[0, ROUNDING]];
  for (let i = 0; i <= steps; i++) {
    const y = ROUNDING + ((height - 2 * ROUNDING) * i) / steps;
    outline.push([Math.max(0.01, profile(y) - ROUNDING), y]);
  }
  if (isVessel)
    for (let i = steps; i >= 0; i--) {
      const y = 0.1 + ((height - ROUNDING - 0.1) * i) / steps;
      outline.push([Math.max(0.005, profile(y) - WALL), y]);
    }
  const last = outline.at(-1)!;
  outline.push([0, last[1]]);
  return outline;
}

function toSection(section: readonly (readonly [number, number])[], r: number, y: number): number {
  let nearest = Infinity;
  let isInside = false;
  for (let i = 0; i < section.length; i++) {
    const [ar, ay] = section[i]!;
    const [br, by] = section[(i + 1) % section.length]!;
    if (ay > y !== by > y && r < ((br - ar) * (y - ay)) / (by - ay) + ar) isInside = !isInside;
    // The closing line lies on the axis, inside the object.
    if (i === section.length - 1) continue;
    const er = br - ar;
    const ey = by - ay;
    const along = Math.max(0, Math.min(1, ((r - ar) * er + (y - ay) * ey) / (er * er + ey * ey || 1)));
    const dr = r - ar - er * along;
    const dy = y - ay - ey * along;
    nearest = Math.min(nearest, dr * dr + dy * dy);
  }
  return Math.sqrt(nearest) * (isInside ? -1 : 1);
}
