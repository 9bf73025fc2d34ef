import type { GenerateRequest } from '../core/request.ts';
import { imagesOf } from '../engine/ipc/wireRequest.ts';
import { SharedOwners } from '../engine/state/sharedOwners.ts';
import { untilAborted } from './untilAborted.ts';

/** Which pictures count as encoded, by tenant: fetches the pixels of each once, as the real encoder would. */
export class ScriptedFeatures {
  readonly #byTenant = new Map<string, Map<string, Promise<void>>>();
  readonly #owners = new SharedOwners();
  #encoderCalls = 0;

  get encoderCalls(): number {
    return this.#encoderCalls;
  }

  /** Makes every picture of the request encoded. Requests that need the same one at the same time share the work. */
  async hold(request: GenerateRequest, signal: AbortSignal): Promise<{ encoded: number; reused: number }> {
    let encoded = 0;
    let reused = 0;
    for (const [key, image] of imagesOf(request)) {
      if (request.session !== undefined) this.#owners.use(request.tenant, key, request.session);
      while (true) {
        const features = this.#of(request.tenant);
        const shared = features.get(key);
        if (shared) {
          // The other request's failure is its own: this one then tries with its own pixels.
          const held = shared.then(
            () => true,
            () => false,
          );
          if (!(await untilAborted(held, signal))) continue;
          reused++;
        } else {
          const own = this.#encode(image);
          features.set(key, own);
          own.catch(() => features.delete(key));
          await untilAborted(own, signal);
          encoded++;
        }
        break;
      }
    }
    return { encoded, reused };
  }

  /** Of a tenant, or what only this session of it shows. */
  drop(tenant: string, session?: string): void {
    if (session !== undefined) {
      for (const key of this.#owners.release(tenant, session)) this.#byTenant.get(tenant)?.delete(key);
      return;
    }
    this.#owners.forget(tenant);
    this.#byTenant.delete(tenant);
  }

  clear(): void {
    this.#byTenant.clear();
  }

  async #encode(image: { width: number; height: number; pixels: () => Promise<Uint8Array> }): Promise<void> {
    const rgb = await image.pixels();
    const expected = image.width * image.height * 3;
    if (rgb.length !== expected)
      throw new Error(`an image has ${rgb.length} bytes of pixels, expected ${expected}`);
    this.#encoderCalls++;
  }

  #of(tenant: string): Map<string, Promise<void>> {
    let features = this.#byTenant.get(tenant);
    if (!features) {
      features = new Map();
      this.#byTenant.set(tenant, features);
    }
    return features;
  }
}
