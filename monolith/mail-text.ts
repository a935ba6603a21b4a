import { price } from './price.ts';

/** What a confirmation says is known of an order. */
export interface Confirmed {
  /** A bigint in decimal. */
  readonly id: string;
  readonly quantity: number;
  readonly product: string;
  readonly totalCents: number;
  /** ISO 4217. */
  readonly currency: string;
}

export interface Confirmation {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** The Message-ID of an order's confirmation, whoever sends it: by it mail programs show a mail that comes twice once. */
export const messageIdOf = (order: string): string => `<order-${order}@shop.example>`;

/** The confirmation of an order, as the shop words it. */
export function confirmation(order: Confirmed, to: string): Confirmation {
  const { id, quantity, product } = order;
  const total = price({ priceCents: order.totalCents, currency: order.currency });
  const lines = [
    `Thank you for your order ${id}.`,
    `${quantity} × ${product}, ${total} in all.`,
    'We pack it with care and write again when it leaves the house.',
  ];
  return {
    from: 'Nordlicht <orders@shop.example>',
    to,
    subject: `Your order ${id}`,
    text: `${lines.join('\n\n')}\n`,
    html: `<!doctype html><html lang="en"><body style="font-family:Georgia,serif">${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('')}</body></html>`,
  };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
