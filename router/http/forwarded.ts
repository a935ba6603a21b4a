import { BlockList, isIP } from 'node:net';
import type { ReceivedHead } from './head.ts';
import { FIELD } from './names.ts';

/** The name this router goes by in Via (RFC 9110 section 7.6.3): a pseudonym, for its address is nobody's business. */
export const VIA = 'strangler';

/** Whom a request comes from, as far as the connection tells. */
export interface Peer {
  /** IP address of the peer, IPv4-mapped addresses as IPv4. */
  readonly address: string;
  /** The peer is a proxy whose X-Forwarded-* are believed. */
  readonly isTrusted: boolean;
  /** The peer speaks TLS to us. */
  readonly isSecure: boolean;
}

/** `::ffff:10.0.0.1` → `10.0.0.1`: what a listener on `::` says of IPv4 peers. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** A test for addresses in any of the networks (`10.0.0.0/8`, `::1`). */
export function networks(list: readonly string[]): (address: string) => boolean {
  if (list.length === 0) return () => false;
  const block = new BlockList();
  for (const entry of list) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    block.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && block.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}

/** Values of all lines of one field, joined (RFC 9110 section 5.3); undefined when there is none. */
function joined(head: ReceivedHead, id: number): string | undefined {
  let text: string | undefined;
  for (let index = 0; index < head.fields.count; index++) {
    if (head.fields.ids[index] !== id || head.fields.nominated[index] === 1) continue;
    const value = head.fields.value(head.bytes, index);
    text = text === undefined ? value : `${text}, ${value}`;
  }
  return text;
}

/** The client's address: the peer, or, behind trusted proxies, the last address that none of them vouches for. */
export function clientOf(head: ReceivedHead, peer: Peer, isTrusted: (address: string) => boolean): string {
  if (!peer.isTrusted) return peer.address;
  const chain = joined(head, FIELD.forwardedFor)?.split(',') ?? [];
  let client = peer.address;
  for (let index = chain.length - 1; index >= 0; index--) {
    const address = plainAddress(chain[index]!.trim());
    if (isIP(address) === 0) break;
    client = address;
    if (!isTrusted(address)) break;
  }
  return client;
}

/** True when the client speaks https: to us, or to the trusted proxy that says so. */
export function isSecure(head: ReceivedHead, peer: Peer): boolean {
  if (!peer.isTrusted) return peer.isSecure;
  const proto = joined(head, FIELD.forwardedProto);
  return proto === undefined ? peer.isSecure : /^https\b/i.test(proto);
}

/**
 * The lines that tell an upstream whom it talks to: X-Forwarded-*, Forwarded (RFC 7239) and Via. From a peer that is not trusted nothing is
 * believed: its lines are dropped, ours say what we see. What a trusted proxy said is kept and appended to.
 */
export function forwardedLines(head: ReceivedHead, peer: Peer, host: string): string {
  const proto = peer.isSecure ? 'https' : 'http';
  const node =
    isIP(peer.address) === 4 ? peer.address : isIP(peer.address) === 6 ? `"[${peer.address}]"` : peer.address;
  const element = `for=${node}${host === '' ? '' : `;host=${/^[\w.~-]+$/.test(host) ? host : `"${host}"`}`};proto=${proto}`;
  let chain: string = peer.address;
  let saidProto: string = proto;
  let saidHost = host;
  let forwarded = element;
  if (peer.isTrusted) {
    const before = joined(head, FIELD.forwardedFor);
    if (before) chain = `${before}, ${peer.address}`;
    saidProto = joined(head, FIELD.forwardedProto) || proto;
    saidHost = joined(head, FIELD.forwardedHost) || host;
    const elements = joined(head, FIELD.forwarded);
    if (elements) forwarded = `${elements}, ${element}`;
  }
  const hostLine = saidHost === '' ? '' : `X-Forwarded-Host: ${saidHost}\r\n`;
  return `X-Forwarded-For: ${chain}\r\nX-Forwarded-Proto: ${saidProto}\r\n${hostLine}Forwarded: ${forwarded}\r\nVia: 1.${head.minor} ${VIA}\r\n`;
}
