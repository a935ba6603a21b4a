import { checkHeaders, type MailJob, type RenderedMail } from './job.ts';

const FROM = 'Nordlicht <orders@shop.example>';

/** The confirmation of an order, in the shop's own words. Throws Malformed where a header would not stay one line. */
export function renderConfirmation({ id, to, order }: MailJob): RenderedMail {
  const lines = [
    `Thank you for your order ${order.id}.`,
    `${order.quantity} × ${order.product}, ${price(order.totalCents, order.currency)} in all.`,
    'We pack it with care and write again when it leaves the house.',
  ];
  const mail = {
    from: FROM,
    to,
    subject: `Your order ${order.id}`,
    text: `${lines.join('\n\n')}\n`,
    html: `<!doctype html><html lang="en"><body style="font-family:Georgia,serif">${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('')}</body></html>`,
  };
  checkHeaders({ id, from: mail.from, to: mail.to, subject: mail.subject });
  return mail;
}

/** In the manner of the shop's own language, whoever reads it. */
function price(cents: number, currency: string): string {
  return new Intl.NumberFormat('en-IE', { style: 'currency', currency }).format(cents / 100);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
