/** What every API key of ours begins with, so that one that leaks can be told by scanners, and one that is sent from a placeholder. */
export const apiKeyPrefix = 'ai-';
