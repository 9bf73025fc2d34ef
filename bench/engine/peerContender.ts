import { z } from 'zod';
import { type Answer, type Contender, checkAnswerLength, type Message, type Question } from './contender.ts';
import type { PeerLog } from './peerLog.ts';
import { eventData } from './serverSentEvents.ts';

const certainBias = 100;

/** What is used of a streamed chat completion (OpenAI API reference); `timings` is llama-server's addition. */
const chunkSchema = z.object({
  choices: z.array(z.object({ delta: z.object({ content: z.string().nullish() }) })),
  usage: z
    .object({
      prompt_tokens: z.number(),
      completion_tokens: z.number(),
      prompt_tokens_details: z.object({ cached_tokens: z.number().nullish() }).nullish(),
    })
    .nullish(),
  timings: z.object({ prompt_n: z.number(), prompt_ms: z.number() }).nullish(),
});
/** `meta` is llama-server's addition. */
const modelSchema = z.object({ id: z.string(), meta: z.object({ n_params: z.number() }).nullish() });
const modelsSchema = z.object({ data: z.tuple([modelSchema], z.unknown()) });
const propsSchema = z.object({ total_slots: z.number() });

/**
 * An OpenAI-compatible server, asked as stateless clients ask: the whole history with its picture on every turn. What
 * it keeps between turns is up to it.
 */
export class PeerContender implements Contender {
  readonly name: string;
  readonly maxRunning: number;
  readonly #url: URL;
  readonly #model: string;
  readonly #answerToken: number;
  readonly #log: PeerLog | undefined;

  private constructor(url: URL, model: string, maxRunning: number, answerToken: number, log?: PeerLog) {
    this.name = url.host;
    this.maxRunning = maxRunning;
    this.#url = url;
    this.#model = model;
    this.#answerToken = answerToken;
    this.#log = log;
  }

  /**
   * `log` tells its encode times, which the API does not.
   * @throws when the server says that its model has another number of parameters
   */
  static async connect(
    baseUrl: URL,
    answerToken: number,
    parameters: number,
    log?: PeerLog,
  ): Promise<PeerContender> {
    const base = baseUrl.href.endsWith('/') ? baseUrl : new URL(`${baseUrl.href}/`);
    const models = await fetch(new URL('v1/models', base));
    if (!models.ok) throw new Error(`${models.url} answered ${models.status}`);
    const [model] = modelsSchema.parse(await models.json()).data;
    const theirs = model.meta?.n_params ?? parameters;
    if (theirs !== parameters) {
      throw new Error(`${base.host} holds another model: ${theirs} parameters instead of ${parameters}`);
    }
    // llama-server says how many answers it gives at a time; others batch as they please.
    const props = await fetch(new URL('props', base));
    const known = props.ok ? propsSchema.safeParse(await props.json()) : undefined;
    const maxRunning = known?.success ? known.data.total_slots : Number.POSITIVE_INFINITY;
    return new PeerContender(new URL('v1/chat/completions', base), model.id, maxRunning, answerToken, log);
  }

  async ask({ messages, answerTokens }: Question): Promise<Answer> {
    const body = JSON.stringify({
      model: this.#model,
      messages: messages.map(wireMessage),
      max_tokens: answerTokens,
      temperature: 0,
      logit_bias: { [this.#answerToken]: certainBias },
      stream: true,
      stream_options: { include_usage: true },
    });
    const askedAt = performance.now();
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(this.#url, { method: 'POST', headers, body });
    if (!response.ok || !response.body) {
      throw new Error(`${this.name} answered ${response.status}: ${await response.text()}`);
    }
    const arrivalsMs: number[] = [];
    let text = '';
    let usage: z.infer<typeof chunkSchema>['usage'];
    let timings: z.infer<typeof chunkSchema>['timings'];
    for await (const data of eventData(response.body)) {
      const chunk = chunkSchema.parse(JSON.parse(data));
      const content = chunk.choices[0]?.delta.content;
      if (content) {
        arrivalsMs.push(performance.now());
        text += content;
      }
      usage = chunk.usage ?? usage;
      timings = chunk.timings ?? timings;
    }
    if (!usage) throw new Error(`${this.name} does not report usage`);
    checkAnswerLength(this.name, answerTokens, usage.completion_tokens, arrivalsMs.length);
    const cachedTokens = usage.prompt_tokens_details?.cached_tokens ?? 0;
    return {
      message: { role: 'assistant', text },
      promptTokens: usage.prompt_tokens,
      newTokens: timings?.prompt_n ?? usage.prompt_tokens - cachedTokens,
      firstTokenMs: (arrivalsMs[0] ?? askedAt) - askedAt,
      arrivalsMs,
      encodeMs: await this.#log?.encodeMs(),
      prefillMs: timings?.prompt_ms,
    };
  }

  /** The API has no such thing. */
  async forget(): Promise<void> {}
}

function wireMessage({ role, text, picture }: Message) {
  if (!picture) return { role, content: text };
  const image = { type: 'image_url', image_url: { url: picture.dataUrl } };
  return { role, content: [image, { type: 'text', text }] };
}
