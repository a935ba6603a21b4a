// @ts-check

/** What is shown where there is nothing to tell from. */
export const NOTHING = '–';

/** @param {number | null | undefined} value Requests a second. */
export function rate(value) {
  return value == null ? NOTHING : value >= 100 ? String(Math.round(value)) : value.toFixed(1);
}

/** @param {number | null | undefined} value Milliseconds. */
export function milliseconds(value) {
  if (value == null) return NOTHING;
  return value >= 10_000
    ? `${(value / 1000).toFixed(1)} s`
    : `${value >= 10 ? Math.round(value) : value.toFixed(1)} ms`;
}

/** @param {number | null | undefined} value A share, 0 to 1. */
export function share(value) {
  if (value == null) return NOTHING;
  const percent = value * 100;
  return `${percent === 0 ? 0 : percent < 0.1 ? '< 0.1' : percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** @param {number | null | undefined} value */
export function count(value) {
  return value == null ? NOTHING : value.toLocaleString('en');
}

/** @param {string | number} at */
export function time(at) {
  return new Date(at).toLocaleTimeString('en-GB');
}

/** Day and time, in the reader's own zone. @param {string | number} at */
export function moment(at) {
  const date = new Date(at);
  const day = date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  return date.toDateString() === new Date().toDateString() ? time(at) : `${day}, ${time(at)}`;
}

/** The two largest units. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value !== 0);
  if (first === -1) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value !== 0)
    .map((part) => part.join(' '))
    .join(' ');
}
