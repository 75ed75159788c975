// 50 equal requests with one key at one moment: one makes the order, 49 are told of it. ROUNDS keys.
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { RUN, idOf, place, stock, together } from './shop.js';

const REQUESTS = 50;
const ROUNDS = Number(__ENV.ROUNDS || 10);
const APART_MS = 2000;
const UNTIL_DECIDED = 'wait=20';

// One for each answer, with the order's id: k6 writes it down nowhere else.
const told = new Counter('told');

export const options = {
  scenarios: { same_key: { executor: 'per-vu-iterations', vus: REQUESTS, iterations: ROUNDS, maxDuration: '5m' } },
  thresholds: { checks: ['rate==1'] },
};

export function setup() {
  return { sku: stock(`SAME-${RUN}`, 1000), begin: Date.now() + APART_MS };
}

export default function ({ sku, begin }) {
  together(sku, begin + __ITER * APART_MS);
  const order = { customer_id: 'c-same' };
  const answer = place(`${RUN}.${__ITER}`, [{ sku, quantity: 1 }], order, `${__ITER + 1}`, UNTIL_DECIDED);
  told.add(1, { of: `${__ITER + 1}`, order: idOf(answer) });
  check(answer, {
    'is the order, or says that it was placed before': ({ status, headers }) =>
      status === 201 || (status === 200 && headers['Idempotent-Replayed'] === 'true'),
  });
}
