import { z } from 'zod';

export const stateNodeShape = z.object({
  key: z.string(),
  parent: z.string().nullable(),
  kind: z.enum(['text', 'image']),
  tokens: z.int(),
  tiers: z.record(z.string(), z.int()),
});

type StateNode = z.output<typeof stateNodeShape>;

/**
 * The tree of a session's prompts, a line for each border, with what is kept there by tier:
 *
 *     text   11 tokens
 *     └─ image   120 tokens   features 0.2 MiB   disk 0.4 MiB
 *        └─ text   24 tokens   ram 0.5 MiB
 */
export function drawStateTree(nodes: readonly StateNode[]): string {
  if (nodes.length === 0) return 'No attention state or features are kept.\n';
  const lines: string[] = [];
  const draw = (parent: string | null, indent: string): void => {
    const children = nodes.filter((node) => node.parent === parent);
    for (const [index, node] of children.entries()) {
      const isLast = index === children.length - 1;
      const branch = parent === null ? '' : isLast ? '└─ ' : '├─ ';
      lines.push(`${indent}${branch}${describe(node)}`);
      draw(node.key, parent === null ? indent : `${indent}${isLast ? '   ' : '│  '}`);
    }
  };
  draw(null, '');
  return `${lines.join('\n')}\n`;
}

function describe({ kind, tokens, tiers, key }: StateNode): string {
  const held = Object.entries(tiers).map(([tier, bytes]) => `${tier} ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  return [`${kind}`, `${tokens} tokens`, ...held, key].join('   ');
}
