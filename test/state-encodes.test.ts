import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Engine } from '../src/engine/engine.ts';
import { pictureIntake as intake } from '../src/server/pictureIntake.ts';
import { ask, type Fixture, openSessions, say } from './helpers/sessions.ts';
import { silentLogger } from './helpers/silentLogger.ts';

const bytesOf = (name: string): Buffer => readFileSync(new URL(`../examples/${name}.png`, import.meta.url));

let run: Fixture<Engine>;
beforeAll(async () => {
  const engine = await Engine.open({ gpu: 'off', kvCells: 2048, visionWeightType: 'f16' }, silentLogger);
  run = await openSessions({ engine, intake });
});
afterAll(async () => {
  await run.close();
  await run.engine.dispose();
});

const encodes = async (): Promise<number> => (await run.engine.stats()).encoderCalls;
const blob = async (tenant: string, name: string): Promise<{ blobId: string }> => {
  const { blobId } = await run.manager.files.putPicture(tenant, bytesOf(name));
  return { blobId };
};

test('a picture that is added, removed and added again is encoded once, in two sessions once, for two tenants twice', async () => {
  const { manager } = run;
  const { id } = await manager.conversations.create('acme', {});
  const [added] = await manager.conversations.append('acme', id, say('Look.', await blob('acme', 'rabbit')));
  const inConversation = async (text: string) =>
    (await ask(manager, { input: say(text), conversationId: id })).response.result?.usage;
  await inConversation('What is the brand?');
  expect(await encodes()).toBe(1);

  await manager.conversations.deleteItem('acme', id, added?.id as string);
  expect(await inConversation('What is the brand?')).toMatchObject({ imageTokens: 0, imagesEncoded: 0 });
  await manager.conversations.append('acme', id, say('Look.', await blob('acme', 'rabbit')));
  expect((await inConversation('What is the brand?'))?.imageTokens).toBeGreaterThan(0);
  expect(await encodes()).toBe(1);

  const other = await ask(manager, { input: say('What is the brand?', await blob('acme', 'rabbit')) });
  expect(other.response.result?.usage).toMatchObject({ imagesEncoded: 0, imagesReused: 1 });
  expect(await encodes()).toBe(1);

  const foreign = await ask(
    manager,
    { input: say('What is the brand?', await blob('globex', 'rabbit')) },
    { tenant: 'globex' },
  );
  expect(foreign.response.result?.usage).toMatchObject({ imagesEncoded: 1, reusedTokens: 0 });
  expect(await encodes()).toBe(2);
  expect(foreign.text).toBe(other.text);
});
