import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import OpenAI from 'openai';
import { afterEach, expect } from 'vitest';
import { responsesRoutes } from '../../src/gateway/responses/routes.ts';
import type { RouteFixture } from './routeFixture.ts';
import { routeFixtures } from './routeFixture.ts';

type OpenOptions = Parameters<ReturnType<typeof routeFixtures>>[1];
export type Body = Record<string, unknown>;

const open = routeFixtures();
export const openResponses = (options?: OpenOptions): Promise<RouteFixture> => open(responsesRoutes, options);

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** The routes behind a socket, and OpenAI's own client for them. */
export async function listen(fixture: RouteFixture, options: { maxRetries?: number } = {}): Promise<OpenAI> {
  const server = createAdaptorServer({ fetch: fixture.fetch });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new OpenAI({ apiKey: 'none', baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0, ...options });
}

export async function post(fixture: RouteFixture, body: Body, headers: Record<string, string> = {}) {
  const reply = await fixture.request('POST', '/v1/responses', body, { headers });
  return { status: reply.status, headers: reply.headers, text: await reply.text() };
}

export async function create(fixture: RouteFixture, body: Body): Promise<OpenAI.Responses.Response> {
  const { status, text } = await post(fixture, body);
  expect(status, text).toBe(200);
  return JSON.parse(text);
}

/** The error's code and param, after its status. */
export async function refused(fixture: RouteFixture, body: unknown, path = '/v1/responses') {
  const reply = await fixture.request('POST', path, body);
  const { error } = (await reply.json()) as { error: { code: string; param: string | null } };
  return [reply.status, error.code, error.param];
}

export const eventsOf = (
  text: string,
): { type: string; sequence_number: number; [field: string]: unknown }[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice('data: '.length)));
