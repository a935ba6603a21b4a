/** `priceCents` as people read it, in the manner of the shop's own language, whoever asks: the same page for everybody. */
export function price({ priceCents, currency }: { priceCents: number; currency: string }): string {
  return new Intl.NumberFormat('en-IE', { style: 'currency', currency }).format(priceCents / 100);
}
