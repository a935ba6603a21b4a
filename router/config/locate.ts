import { isMap, isNode, isPair, isSeq, type Document, type LineCounter } from 'yaml';

/** Line of a path such as `['features', 'images', 'upstream']`; of the nearest thing that exists when it doesn't; null when nothing does. */
export type Locate = (path: readonly PropertyKey[]) => number | null;

/** `features.images.routes[0].match` */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${String(key)}` : String(key),
    '',
  );
}

/** Finds lines in a parsed YAML (and so also JSON) document. */
export function locator(document: Document, lines: LineCounter): Locate {
  return (path) => {
    let node: unknown = document.contents;
    let at = offsetOf(node);
    for (const key of path) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isPair(item) && String(item.key) === String(key));
        if (!pair) break;
        at = offsetOf(pair.key) ?? at;
        node = pair.value;
      } else if (isSeq(node)) {
        node = node.items[Number(key)];
        at = offsetOf(node) ?? at;
      } else break;
    }
    return at === null ? null : lines.linePos(at).line;
  };
}

function offsetOf(node: unknown): number | null {
  return isNode(node) && node.range ? node.range[0] : null;
}
