import { restarts } from '../resilience/restarts.ts';

describe('twenty restarts under load', () => restarts(20));
