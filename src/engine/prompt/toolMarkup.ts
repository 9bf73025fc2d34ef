/** The words around tools, calls and results that Qwen models were trained on; most are one token of their vocabularies. */
export const toolCallStart = '<tool_call>';
export const toolCallEnd = '</tool_call>';
export const toolResponseStart = '<tool_response>';
export const toolResponseEnd = '</tool_response>';
