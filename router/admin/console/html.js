// @ts-check
import htm from 'htm';
import { h } from 'preact';

/**
 * Markup as preact elements. Whatever is put into it becomes text or an attribute, never markup.
 * @type {(strings: TemplateStringsArray, ...values: any[]) => any}
 */
export const html = htm.bind(h);
