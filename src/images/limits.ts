/** What a picture may be. A header that breaks a limit is refused before a single pixel is decoded. */

/** 20 MiB: what the common vision APIs take; a 12-megapixel photo has 3 to 8 MiB. */
export const maxFileBytes = 20 * 1024 * 1024;

/** Below this there is nothing to see; 1x1 pictures have brought down other engines (CVE-2026-22773). */
export const minSide = 8;

/** A decoder's row buffers grow with the side, whatever the pixel count. */
export const maxSide = 8192;

/** Thin strips overflow tiling code (52,800x44 did in llama.cpp's mtmd); the model's own limit is 200. */
export const maxAspectRatio = 50;

/** 4096 x 4096 = 16,384 image tokens: the most the Qwen3-VL processor keeps. Decoded it is 48 MiB of RGB. */
export const maxImagePixels = 4096 * 4096;

/** The slowest honest picture (`maxImagePixels` of CMYK JPEG with little compression) was measured at 2 s on one core. */
export const decodeTimeoutMs = 5000;
