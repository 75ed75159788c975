// USERS users who do not think at all, for SECONDS: how many orders a second the system takes at most.
import { RUN, basket, place, size } from './shop.js';

export const options = {
  scenarios: {
    saturation: { executor: 'constant-vus', vus: Number(__ENV.USERS || 50), duration: `${__ENV.SECONDS || 20}s` },
  },
};

export default function () {
  place(`${RUN}.${__VU}-${__ITER}`, basket(size()));
}
