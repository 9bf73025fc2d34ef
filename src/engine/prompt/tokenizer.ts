/** What the prompt renderer needs of a vocabulary; the native one is `decode/vocabulary.ts`. */
export interface Tokenizer {
  /** Plain text to token ids; no spelling of a control token is recognised, no BOS is added. */
  encodePlain(text: string): number[];
  /** Bytes a token stands for; control tokens stand for none. */
  bytesOf(token: number): Uint8Array;
  /** Spelling -> id of every control and user-defined token (`<|im_start|>`, `<think>`, ...). */
  readonly specials: ReadonlyMap<string, number>;
  isEndOfGeneration(token: number): boolean;
}
