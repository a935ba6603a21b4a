import type { Rgb, Still, View } from './still-life.ts';

/** A product of the seed. */
export interface Item {
  readonly name: string;
  readonly description: string;
  readonly cents: number;
  readonly still: Still;
  /** What its pictures show, the first being the one in the list. */
  readonly alts: readonly string[];
}

/** From where the camera looks: at the whole thing, and once more from nearby. One picture for each alternative text. */
export const VIEWS: readonly View[] = [
  { angle: 0.5, distance: 0.92, lift: 0.3 },
  { angle: -0.35, distance: 0.76, lift: 0.44 },
];

const OAK: Rgb = [0.42, 0.27, 0.15];
const ASH: Rgb = [0.62, 0.5, 0.36];
const WALNUT: Rgb = [0.22, 0.13, 0.075];
const wave = (y: number, at: number, width: number): number => Math.exp(-(((y - at) / width) ** 2));

/** What the shop sells on its first day. */
export const ITEMS: readonly Item[] = [
  {
    name: 'Fjord mug',
    description:
      'Stoneware, 300 ml, with a wide handle for cold mornings. Dishwasher-safe; every glaze runs a little differently.',
    cents: 2400,
    alts: [
      'A stoneware mug with a blue-green glaze on an oak table',
      'The mug from nearby: the glaze ends in a wavy line above bare clay',
    ],
    still: {
      profile: (y) => 0.46 + 0.03 * wave(y, 0.4, 0.5),
      height: 1.1,
      colour: [0.55, 0.45, 0.33],
      glaze: { from: 0.32, colour: [0.1, 0.3, 0.31] },
      shine: 0.55,
      isVessel: true,
      hasHandle: true,
      wall: [0.62, 0.6, 0.55],
      table: OAK,
    },
  },
  {
    name: 'Moon vase',
    description:
      'Thrown in one piece from white clay and left unglazed outside. Holds three branches, or nothing at all.',
    cents: 6800,
    alts: ['A round white vase with a narrow neck', 'The vase from above its shoulder'],
    still: {
      profile: (y) =>
        Math.max(
          0.24 + 0.3 * Math.max(0, y - 1.35),
          0.88 * Math.sqrt(Math.max(0, 1 - ((y - 0.66) / 0.76) ** 2)),
        ),
      height: 1.56,
      colour: [0.66, 0.62, 0.55],
      shine: 0.08,
      isVessel: true,
      wall: [0.36, 0.42, 0.44],
      table: ASH,
    },
  },
  {
    name: 'Ember lamp',
    description: 'A table lamp of hand-blown glass. Warm light, dimmable, with a cloth cable of two metres.',
    cents: 14900,
    alts: [
      'A glowing glass lamp on a walnut table',
      'The lit shade from nearby, with a window mirrored in it',
    ],
    still: {
      profile: (y) =>
        y < 0.62
          ? 0.32 - 0.24 * Math.min(1, y * 3)
          : 0.05 + 0.64 * Math.sqrt(Math.max(0, 1 - ((y - 1.2) / 0.6) ** 2)),
      height: 1.8,
      colour: [0.5, 0.3, 0.14],
      shine: 0.8,
      isVessel: false,
      wall: [0.1, 0.12, 0.13],
      table: WALNUT,
      glow: 0.75,
    },
  },
  {
    name: 'Heather bowl',
    description: 'A deep bowl for soup or fruit, with a rose glaze that breaks to brown at the rim.',
    cents: 3900,
    alts: ['A deep bowl with a rose glaze', 'A look into the bowl: the rim breaks to brown'],
    still: {
      profile: (y) => 0.3 + 0.72 * Math.sqrt(Math.min(1, y / 0.8)),
      height: 0.78,
      colour: [0.47, 0.2, 0.2],
      glaze: { from: 0.64, colour: [0.25, 0.14, 0.1] },
      shine: 0.6,
      isVessel: true,
      wall: [0.66, 0.58, 0.53],
      table: OAK,
    },
  },
  {
    name: 'Reed carafe',
    description: 'One litre, in slim green stoneware. Pours without a drop, which took us eleven tries.',
    cents: 5400,
    alts: ['A slim green carafe', 'The mouth and shoulder of the carafe'],
    still: {
      profile: (y) => 0.44 - 0.22 * wave(y, 1.45, 0.45) + 0.05 * wave(y, 0.3, 0.4),
      height: 1.95,
      colour: [0.1, 0.2, 0.1],
      shine: 0.7,
      isVessel: true,
      wall: [0.67, 0.66, 0.58],
      table: ASH,
    },
  },
  {
    name: 'Salt jar',
    description:
      'A jar with a heavy foot that does not mind wet hands. For salt, sugar, or the last biscuits.',
    cents: 3200,
    alts: [
      'A small sand-coloured jar with a dark glaze',
      'The jar from nearby: dark glaze over sand-coloured clay',
    ],
    still: {
      profile: (y) => 0.5 + 0.1 * Math.sin(y * 3) - 0.12 * wave(y, 1.05, 0.14),
      height: 1.15,
      colour: [0.6, 0.46, 0.3],
      glaze: { from: 0.75, colour: [0.07, 0.07, 0.08] },
      shine: 0.35,
      isVessel: true,
      wall: [0.5, 0.53, 0.5],
      table: WALNUT,
    },
  },
  {
    name: 'Harbour tumbler',
    description: 'Thick blue glass from a workshop at the sea, slightly different each time. 250 ml.',
    cents: 1900,
    alts: ['A blue tumbler of thick glass', 'The tumbler from above: its bottom is a finger thick'],
    still: {
      profile: (y) => 0.4 + 0.06 * y,
      height: 0.95,
      colour: [0.3, 0.58, 0.8],
      shine: 1,
      isVessel: true,
      isGlass: true,
      wall: [0.7, 0.69, 0.65],
      table: ASH,
    },
  },
  {
    name: 'Candle stone',
    description: 'A turned candle holder in black clay, weighty enough for a draughty room.',
    cents: 2900,
    alts: ['A black turned candle holder', 'The candle holder from nearby'],
    still: {
      profile: (y) => 0.56 - 0.42 * Math.min(1, y * 1.7) + 0.2 * wave(y, 0.86, 0.16),
      height: 1.02,
      colour: [0.045, 0.045, 0.05],
      shine: 0.45,
      isVessel: false,
      wall: [0.64, 0.47, 0.36],
      table: OAK,
    },
  },
];
