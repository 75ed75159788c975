// What customers and the shop do over REST; every script is made of it.
//
// BASE names the system (http://127.0.0.1:8080), TOKEN an operator's token where it asks for one, RUN what the keys of
// this run begin with, CATALOGUE a file with the SKUs on sale, as a JSON list.
import http from 'k6/http';
import { sleep } from 'k6';
import { SharedArray } from 'k6/data';

const API = `${__ENV.BASE || 'http://127.0.0.1:8080'}/api/v1`;
const AUTHORIZATION = __ENV.TOKEN ? { Authorization: `Bearer ${__ENV.TOKEN}` } : {};
const HEADERS = { 'Content-Type': 'application/json', ...AUTHORIZATION };
export const RUN = __ENV.RUN || Date.now().toString(16);

// Read once for all users.
export const catalogue = new SharedArray('catalogue', () => (__ENV.CATALOGUE ? JSON.parse(open(__ENV.CATALOGUE)) : []));

// A product with so many pieces on the shelf.
export function stock(sku, pieces, price = '2.55') {
  const product = { name: `load test ${sku}`, price, currency: 'GBP', supply: 'STOCK' };
  const receipt = { quantity: pieces, reason: 'load test', idempotency_key: `open-${sku}` };
  must(send('PUT', `/products/${sku}`, product, 'setup'), [200, 201]);
  must(send('POST', `/products/${sku}/receipts`, receipt, 'setup'), [200, 201]);
  return sku;
}

// An order, told as `place` with what it is one of; the answer.
export function place(key, items, more = {}, of = '', prefer = '') {
  const order = { customer_id: `c-${__VU}`, idempotency_key: key, items, ...more };
  return send('POST', '/orders', order, 'place', of ? { of } : {}, prefer ? { Prefer: prefer } : {});
}

// The order as it stands.
export function look(id) {
  return http.get(`${API}/orders/${id}`, { headers: AUTHORIZATION, tags: { name: 'look' } });
}

// The customer has changed their mind.
export function cancel(id) {
  return send('POST', `/orders/${id}/cancel`, {}, 'cancel');
}

// The order's id, or nothing where there is none.
export function idOf(answer) {
  return answer.status === 200 || answer.status === 201 ? answer.json('data.id') : '';
}

// A basket of different products: some are wanted more than others, and most orders are small.
export function basket(lines) {
  const skus = new Set();
  while (skus.size < Math.min(lines, catalogue.length)) {
    skus.add(catalogue[Math.floor(catalogue.length * Math.random() ** 2)]);
  }
  return [...skus].map((sku) => ({ sku, quantity: 1 + Math.floor(3 * Math.random()) }));
}

// How many lines an order has: a few of them are a dealer's.
export function size() {
  const drawn = Math.random();
  if (drawn < 0.35) return 1;
  if (drawn < 0.75) return 2 + Math.floor(2 * Math.random());
  if (drawn < 0.95) return 4 + Math.floor(5 * Math.random());
  return 9 + Math.floor(22 * Math.random());
}

// All users arrive here with a connection that is open, and go on at one moment.
export function together(sku, moment) {
  http.get(`${API}/inventory/${sku}`, { headers: AUTHORIZATION, tags: { name: 'setup' } });
  sleep(Math.max(0, moment - Date.now()) / 1000);
}

function send(method, path, body, name, tags = {}, more = {}) {
  return http.request(method, API + path, JSON.stringify(body), {
    headers: { ...HEADERS, ...more },
    tags: { name, ...tags },
  });
}

function must(answer, statuses) {
  if (!statuses.includes(answer.status)) throw new Error(`${answer.url}: ${answer.status} ${answer.body}`);
}
