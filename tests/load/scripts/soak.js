// RATE orders a second, for SECONDS: whatever grows that should not has the time to be seen.
import exec from 'k6/execution';
import { RUN, basket, idOf, look, place, size } from './shop.js';

const RATE = Number(__ENV.RATE || 50);

export const options = {
  scenarios: {
    soak: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      duration: `${__ENV.SECONDS || 900}s`,
      preAllocatedVUs: 200,
      maxVUs: 400,
    },
  },
};

export default function () {
  const answer = place(`${RUN}.${exec.scenario.iterationInTest}`, basket(size()));
  if (idOf(answer) && Math.random() < 0.1) look(idOf(answer));
}
