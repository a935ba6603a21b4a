// What explains a decision reads a path as the data path does.
export { canonicalTarget as canonicalise } from '../http/target.ts';
