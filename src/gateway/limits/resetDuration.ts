/** As OpenAI writes it in `x-ratelimit-reset-*`: `120ms`, `8.64s`, `1m0s`. */
export function resetDuration(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  if (whole < 1_000) return `${whole}ms`;
  if (whole < 60_000) return `${whole / 1_000}s`;
  return `${Math.floor(whole / 60_000)}m${(whole % 60_000) / 1_000}s`;
}
