// 0 to 50 users over 2.5 minutes. Each places an order of one to three lines, looks at it, and thinks for a second.
import { sleep } from 'k6';
import { RUN, basket, idOf, look, place } from './shop.js';

const USERS = Number(__ENV.USERS || 50);
const SECONDS = Number(__ENV.SECONDS || 150);
const THINKS_SECONDS = 1;

export const options = {
  scenarios: {
    ramp: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: [{ duration: `${SECONDS}s`, target: USERS }],
      gracefulRampDown: '10s',
      gracefulStop: '10s',
    },
  },
  thresholds: {
    'http_req_duration{name:place}': ['p(95)<500', 'p(99)<1000'],
    'http_req_failed{name:place}': ['rate<0.2'],
  },
};

export default function () {
  const answer = place(`${RUN}.${__VU}-${__ITER}`, basket(1 + Math.floor(3 * Math.random())));
  if (idOf(answer)) look(idOf(answer));
  sleep(THINKS_SECONDS);
}
