// A day in minutes, with a sale at noon: orders come at the rate of the hour, whatever the answers do.
//
// HOUR_SECONDS is how long an hour takes, PEAK the orders per second at noon. Half of those who come between 12 and 14
// want one of five products on sale, of which there are fewer than wanted; later ones are refused.
import exec from 'k6/execution';
import { RUN, basket, cancel, idOf, look, place, size, stock } from './shop.js';

const HOUR_SECONDS = Number(__ENV.HOUR_SECONDS || 10);
const PEAK = Number(__ENV.PEAK || 100);
const SALE_PIECES = Number(__ENV.SALE_PIECES || 80);
const SALE = [12, 14];
const ON_SALE = 5;
// Percent of the peak by hour; at 12 it jumps, as when a sale opens.
const HOURS = [4, 2, 1, 1, 1, 2, 5, 10, 20, 30, 35, 35, 100, 60, 40, 35, 30, 35, 45, 50, 45, 30, 15, 8];

const stages = HOURS.flatMap((percent, hour) => {
  const target = Math.max(1, Math.round((PEAK * percent) / 100));
  const seconds = hour === SALE[0] ? HOUR_SECONDS - 1 : HOUR_SECONDS;
  const jump = hour === SALE[0] ? [{ duration: '1s', target }] : [];
  return [...jump, { duration: `${seconds}s`, target }];
});

export const options = {
  scenarios: {
    day: { executor: 'ramping-arrival-rate', startRate: 1, preAllocatedVUs: 100, maxVUs: 400, stages },
  },
  thresholds: {
    'http_req_duration{name:place}': ['p(95)<500', 'p(99)<1000'],
    dropped_iterations: ['count==0'],
  },
};

export function setup() {
  return Array.from({ length: ON_SALE }, (_, number) => stock(`SALE-${RUN}-${number}`, SALE_PIECES, '0.99'));
}

export default function (onSale) {
  const hour = (Date.now() - exec.scenario.startTime) / 1000 / HOUR_SECONDS;
  const wantsSale = hour >= SALE[0] && hour < SALE[1] && Math.random() < 0.5;
  const items = basket(size());
  if (wantsSale) items.push({ sku: onSale[Math.floor(ON_SALE * Math.random())], quantity: 1 });
  const more = Math.random() < 0.03 ? { payment_method: 'sim_declined' } : {};
  const key = `${RUN}.${wantsSale ? 'sale' : 'usual'}-${exec.scenario.iterationInTest}`;
  const answer = place(key, items, more, wantsSale ? 'sale' : 'usual');
  if (!idOf(answer)) return;
  if (Math.random() < 0.02) cancel(idOf(answer));
  else if (Math.random() < 0.3) look(idOf(answer));
}
