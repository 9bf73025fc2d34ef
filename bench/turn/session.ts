import type { BenchServer } from './server.ts';
import { timed } from './spread.ts';

export interface SessionKind {
  readonly place: 'conversation' | 'chain';
  readonly streamed: boolean;
}

/** Milliseconds of each turn of a new session, from the request's first byte to the reply's last. */
export async function runSession(
  server: BenchServer,
  { place, streamed }: SessionKind,
  turns: number,
): Promise<number[]> {
  const base: { conversation?: string; previous_response_id?: string } = {};
  if (place === 'conversation') {
    base.conversation = JSON.parse(await server.ask('POST', '/v1/conversations', {})).id;
  }
  const timesMs: number[] = [];
  for (let turn = 1; turn <= turns; turn++) {
    const input = `Question ${turn}: what does the label in the lower left corner say?`;
    let told = '';
    const turnMs = await timed(async () => {
      told = await server.ask('POST', '/v1/responses', { input, stream: streamed, ...base });
    });
    const response = streamed ? lastResponse(told) : JSON.parse(told);
    if (response.status !== 'completed') throw new Error(`turn ${turn} is ${response.status}`);
    if (place === 'chain') base.previous_response_id = response.id;
    timesMs.push(turnMs);
  }
  return timesMs;
}

function lastResponse(stream: string): { id: string; status: string } {
  const [, data] = /^event: response\.completed\ndata: (.*)$/m.exec(stream) ?? [];
  if (data === undefined) throw new Error('the stream ended before its last event');
  return JSON.parse(data).response;
}
