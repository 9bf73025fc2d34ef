/** The embedded model's own template. */
export const embeddedTemplate = `{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.content is string %}{{- message.content }}{%- else %}{%- for c in message.content %}{%- if c.type == 'image' or c.type == 'image_url' or 'image' in c or 'image_url' in c %}{{- '<|vision_start|><|image_pad|><|vision_end|>' }}{%- elif c.type == 'video' or 'video' in c %}{{- '<|vision_start|><|video_pad|><|vision_end|>' }}{%- elif 'text' in c %}{{- c.text }}{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`;

/** ChatML with a system prompt of its own when the conversation has none. */
export const defaultSystemTemplate = `
{%- if messages[0]['role'] != 'system' %}
    {{- '<|im_start|>system\\nYou look closely.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' ~ message['role'] ~ '\\n' }}
    {%- if message['content'] is string %}
        {{- message['content'] }}
    {%- else %}
        {%- for part in message['content'] %}
            {%- if 'image' in part %}<|vision_start|><|image_pad|><|vision_end|>
            {%- else %}{{ part['text'] }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}`;

const parts = (content: string, images: string) => `
    {%- if ${content} is string %}
        {{- ${content} }}
    {%- else %}
        {%- for part in ${content} %}
            {%- if part.type == 'image' %}${images}
            {%- elif 'text' in part %}{{- part.text }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}`;
const vision = `{{- '<|vision_start|><|image_pad|><|vision_end|>' }}`;

/**
 * Like the official ones: the system message first and without pictures, tools, picture numbers on request, roles that
 * are known or refused, and thinking that is cut out of old answers and opened for the new one.
 */
export const thinkingTemplate = `
{%- set pictures = namespace(count=0) %}
{%- if messages[0].role == 'system' or tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}${parts('messages[0].content', '')}{%- endif %}
    {%- if tools %}
        {{- '\\n\\n# Tools' }}{%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\\n' }}
        ${parts('message.content', `{%- set pictures.count = pictures.count + 1 %}{%- if add_vision_id %}{{- 'Picture ' ~ pictures.count ~ ': ' }}{%- endif %}${vision}`)}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set content = message.content %}
        {%- if content is string and '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n' }}${parts('content', vision)}
        {%- if message.tool_calls %}{{- raise_exception('no tools here') }}{%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif not loop.first %}
        {{- raise_exception('The system message must come first.') }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n<think>\\n' }}
{%- endif %}`;

/** Not append-only: the system message comes after the whole conversation. */
export const systemLastTemplate = `
{%- for message in messages if message.role != 'system' %}
    {{- '<|im_start|>' + message.role + '\\n' }}${parts('message.content', vision)}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- for message in messages if message.role == 'system' %}
    {{- '<|im_start|>system\\n' }}${parts('message.content', vision)}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}`;

const qwenParts = (content: string) => `
        {%- if ${content} is string %}
            {{- ${content} }}
        {%- else %}
            {%- for part in ${content} %}
                {%- if part.type == 'image' or 'image' in part or 'image_url' in part %}${vision}
                {%- elif 'text' in part %}{{- part.text }}
                {%- endif %}
            {%- endfor %}
        {%- endif %}`;

/** The one of Qwen3-VL's instruct models (`chat_template.json`), its videos and picture numbers left out. */
export const qwen3VlTemplate = `
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}${qwenParts('messages[0].content')}
        {{- '\\n\\n' }}
    {%- endif %}
    {{- "# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\nYou are provided with function signatures within <tools></tools> XML tags:\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n\\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\\n<tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args-json-object>}\\n</tool_call><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' }}${qwenParts('messages[0].content')}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == "user" %}
        {{- '<|im_start|>' + message.role + '\\n' }}${qwenParts('message.content')}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role + '\\n' }}${qwenParts('message.content')}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and message.content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}${qwenParts('message.content')}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}`;
