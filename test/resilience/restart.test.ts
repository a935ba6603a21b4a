import { restarts } from './restarts.ts';

describe('a restart under load', () => restarts(3));
