import { createTransport, type SendMailOptions, type Transporter } from 'nodemailer';

/** Where confirmations are handed in. */
export interface MailServer {
  /** Rejects as nodemailer does, and with ENOTFOUND while nobody knows where the server is. */
  sendMail(mail: SendMailOptions): Promise<unknown>;
  close(): void;
}

/** `urlNow`: where the server is at the moment. It may be another one at any time (SMTP_URL=etcd:NAME), so it is asked for each mail. */
export function openMailServer(urlNow: () => string | null): MailServer {
  let transport: { readonly url: string; readonly to: Transporter } | null = null;
  return {
    async sendMail(mail) {
      const url = urlNow();
      if (url === null)
        throw Object.assign(new Error('the registry has not said yet where the mail server is'), {
          code: 'ENOTFOUND',
        });
      if (transport?.url !== url) {
        transport?.to.close();
        transport = {
          url,
          // One connection for mail after mail: a greeting costs more than a mail. What broke under a mail is for the caller to try again, who knows whether it may.
          to: createTransport({
            url,
            pool: true,
            maxConnections: 1,
            maxRequeues: 0,
            connectionTimeout: 5000,
            greetingTimeout: 5000,
            // A server may think about a mail for long before its yes, and whoever does not wait for that sends it again.
            socketTimeout: 30_000,
          }),
        };
      }
      return await transport.to.sendMail(mail);
    },
    close: () => transport?.to.close(),
  };
}
