// 50 buyers at one moment for a product of which there is one piece: one has it, 49 are refused. ROUNDS products.
import { check } from 'k6';
import { RUN, place, stock, together } from './shop.js';

const BUYERS = 50;
const ROUNDS = Number(__ENV.ROUNDS || 10);
const APART_MS = 2000;
const UNTIL_DECIDED = 'wait=20';

export const options = {
  scenarios: { last_piece: { executor: 'per-vu-iterations', vus: BUYERS, iterations: ROUNDS, maxDuration: '5m' } },
  thresholds: { checks: ['rate==1'] },
};

export function setup() {
  const skus = Array.from({ length: ROUNDS }, (_, round) => stock(`LAST-${RUN}-${round}`, 1));
  return { skus, begin: Date.now() + APART_MS };
}

export default function ({ skus, begin }) {
  const sku = skus[__ITER];
  together(sku, begin + __ITER * APART_MS);
  const answer = place(`${RUN}.${__VU}-${__ITER}`, [{ sku, quantity: 1 }], {}, `${__ITER + 1}`, UNTIL_DECIDED);
  check(answer, {
    'has it, or is told that it is gone': ({ status }) =>
      status === 201 || (status === 409 && answer.json('error_code') === 'insufficient_stock'),
  });
}
