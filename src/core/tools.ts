/** Functions a model may call, in the terms of the OpenAI APIs. Afterimage never runs them: the client does. */

/** A JSON Schema as the client gave it; what of it the grammar can enforce is checked when the request comes in. */
export type JsonSchema = boolean | Readonly<Record<string, unknown>>;

export interface FunctionTool {
  /** `[a-zA-Z0-9_-]{1,64}`, unique within a request. */
  readonly name: string;
  readonly description?: string;
  /** An object schema; left out: no arguments. */
  readonly parameters?: JsonSchema;
  /** The arguments follow the schema exactly, enforced while sampling. Otherwise they are only sure to be a JSON object. */
  readonly strict?: boolean;
}

/** `auto` leaves it to the model, `required` makes it call at least one; a name makes it call that one. */
export type ToolChoice = 'none' | 'auto' | 'required' | { readonly name: string };

export interface ToolCall {
  readonly name: string;
  /** A JSON object as text, as the model wrote it. */
  readonly arguments: string;
}

/** What an answer's text must be, enforced by a grammar while sampling. An answer cut at its length limit may be half of it. */
export type OutputFormat =
  | { readonly type: 'json_object' }
  | { readonly type: 'json_schema'; readonly schema: JsonSchema };

/** Whether a text is what arguments of a call must be. */
export function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
