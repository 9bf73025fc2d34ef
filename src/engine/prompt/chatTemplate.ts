import { Template } from '@huggingface/jinja';
import { failure } from '../../core/errors.ts';
import type { ChatMessage } from '../../core/request.ts';
import type { FunctionTool } from '../../core/tools.ts';
import { imageKey } from './imageKey.ts';
import type { Segment } from './segment.ts';
import { SegmentWriter } from './segmentWriter.ts';
import { SpecialSpellings } from './specialSpellings.ts';
import { checkPlacement, type Item, takeContent, withImagesOfOnly } from './standIns.ts';
import type { Tokenizer } from './tokenizer.ts';
import { type PromptMessage, withToolsAsText } from './toolPrompt.ts';

export interface ChatTemplateOptions {
  /** Jinja source, GGUF metadata `tokenizer.chat_template`. */
  readonly source: string;
  /** The model file it came from, named in errors. */
  readonly path: string;
  readonly tokenizer: Tokenizer;
  /** Side in pixels of the square one image token stands for: patch size x merge size. */
  readonly imageTokenPixels: number;
}

/** A piece of template output: plain text, a special token, or an item of the conversation. */
type Piece = string | { readonly token: number } | { readonly item: number };

/** Qwen-VL templates put an image in as `<|vision_start|><|image_pad|><|vision_end|>`. */
const imagePad = '<|image_pad|>';

/**
 * Turns conversations into prompts with a model's own chat template.
 *
 * The template runs on sentinels instead of content, so it can't be confused by what users write, and only text of its
 * own can become special tokens. What it does to content (trimming, looking for `</think>`) it does to the sentinel:
 * content goes into the prompt exactly as it was given.
 */
export class ChatTemplate {
  readonly #template: Template;
  readonly #tokenizer: Tokenizer;
  readonly #spellings: SpecialSpellings;
  readonly #imagePadToken: number;
  /** Sides of the square that one token of an image stands for. */
  readonly imageTokenPixels: number;
  /** Begins and ends every sentinel: a character the template's own text doesn't have. */
  readonly #mark: string;

  /** @throws model_metadata_invalid when the template can't be parsed or the vocabulary has no image token. */
  constructor({ source, path, tokenizer, imageTokenPixels }: ChatTemplateOptions) {
    try {
      this.#template = new Template(source);
    } catch (cause) {
      const problem = `not a valid Jinja template: ${reasonOf(cause)}`;
      throw failure('model_metadata_invalid', { path, field: 'tokenizer.chat_template', problem }, { cause });
    }
    const imagePadToken = tokenizer.specials.get(imagePad);
    if (imagePadToken === undefined) {
      const problem = `without the special token ${imagePad}`;
      throw failure('model_metadata_invalid', { path, field: 'tokenizer.ggml.tokens', problem });
    }
    this.#tokenizer = tokenizer;
    this.#spellings = new SpecialSpellings(tokenizer.specials);
    this.#imagePadToken = imagePadToken;
    this.imageTokenPixels = imageTokenPixels;
    let mark = 0xe000; // The first private-use character.
    while (source.includes(String.fromCharCode(mark))) mark++;
    this.#mark = String.fromCharCode(mark);
  }

  /**
   * Renders a conversation; `addGenerationPrompt` ends it where the assistant's answer begins. Tools come in front, so
   * that only a conversation with the same tools shares its prefix.
   * @throws invalid_parameter when the template refuses the messages, or drops, repeats or changes content.
   */
  render(
    given: readonly ChatMessage[],
    {
      addGenerationPrompt,
      tools,
    }: { addGenerationPrompt: boolean; tools?: readonly FunctionTool[] | undefined },
  ): Segment[] {
    const messages = withToolsAsText(given, tools);
    const { items, pieces } = this.#pieces(messages, addGenerationPrompt);
    this.#placeImages(messages, items, pieces);
    const order = pieces.flatMap((piece) => (isItem(piece) ? piece.item : []));
    checkPlacement(order, items);

    const writer = new SegmentWriter(this.#tokenizer, this.#spellings);
    for (const piece of pieces) {
      if (typeof piece === 'string') writer.plain(piece);
      else if (isItem(piece)) this.#write(items[piece.item] as Item, writer);
      else writer.token(piece.token);
    }
    return writer.finish();
  }

  #write(item: Item, writer: SegmentWriter): void {
    if (item.kind === 'text') {
      for (const { type, text } of item.parts) {
        if (type === 'text') writer.plain(text);
        else this.#writeMarkup(text, writer);
      }
    } else if (item.kind === 'tokens') writer.tokens(item.tokens);
    else {
      const { width, height } = item.image;
      writer.image({
        kind: 'image',
        key: imageKey(item.image),
        columns: width / this.imageTokenPixels,
        rows: height / this.imageTokenPixels,
      });
    }
  }

  #writeMarkup(text: string, writer: SegmentWriter): void {
    for (const piece of this.#spellings.parse(text)) {
      if (typeof piece === 'string') writer.plain(piece);
      else writer.token(piece);
    }
  }

  /** Runs the template and splits its output at special tokens and sentinels. Images are still image_pad tokens. */
  #pieces(
    messages: readonly PromptMessage[],
    addGenerationPrompt: boolean,
  ): { items: Item[]; pieces: Piece[] } {
    const mark = this.#mark;
    const sentinel = new RegExp(`${mark}(\\d+)${mark}`, 'g');
    const { items, templateMessages } = takeContent(messages, (item) => mark + item + mark);
    let output: string;
    try {
      output = this.#template.render({
        messages: templateMessages,
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (cause) {
      const reason = reasonOf(cause).replace(sentinel, '...');
      throw refused(`the model's chat template refused them: ${reason}`, cause);
    }
    const pieces: Piece[] = [];
    for (const [index, part] of output.split(sentinel).entries()) {
      // A split by a pattern with one group alternates between text and group.
      if (index % 2 === 1) {
        pieces.push({ item: Number(part) });
        continue;
      }
      if (part.includes(mark)) throw refused("the model's chat template changes their text");
      for (const piece of this.#spellings.parse(part)) {
        pieces.push(typeof piece === 'string' ? piece : { token: piece });
      }
    }
    return { items, pieces };
  }

  /** Replaces each image_pad token by the next image of the conversation. */
  #placeImages(messages: readonly PromptMessage[], items: readonly Item[], pieces: Piece[]): void {
    const images = items.flatMap((item, index) => (item.kind === 'image' ? index : []));
    const pads = this.#pads(pieces);
    if (pads.length !== images.length) throw this.#imagesLost(messages, images.length, pads.length);
    for (const [image, pad] of pads.entries()) pieces[pad] = { item: images[image] as number };
  }

  #pads(pieces: readonly Piece[]): number[] {
    return pieces.flatMap((piece, index) =>
      typeof piece !== 'string' && 'token' in piece && piece.token === this.#imagePadToken ? index : [],
    );
  }

  /** Image placeholders look alike: which message lost its image shows when it is the only one to have some. */
  #imagesLost(messages: readonly PromptMessage[], given: number, placed: number): Error {
    for (const [index, { content, source }] of messages.entries()) {
      const images = content.filter((part) => part.type === 'image').length;
      if (images === 0) continue;
      const alone = this.#pads(this.#pieces(withImagesOfOnly(index, messages), false).pieces).length;
      if (alone === images) continue;
      return failure('invalid_parameter', {
        param: `messages[${source}].content`,
        problem: `the model's chat template takes ${alone} of its ${images} pictures`,
      });
    }
    return refused(`they have ${given} pictures, the model's chat template makes ${placed} of them`);
  }
}

function isItem(piece: Piece): piece is { readonly item: number } {
  return typeof piece !== 'string' && 'item' in piece;
}

function refused(problem: string, cause?: unknown): Error {
  return failure('invalid_parameter', { param: 'messages', problem }, { cause });
}

/** Without a full stop: the error's own sentence has one. */
function reasonOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '');
}
