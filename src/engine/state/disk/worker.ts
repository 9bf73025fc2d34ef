import { type MessagePort, parentPort } from 'node:worker_threads';
import { AfterimageError, failure } from '../../../core/errors.ts';
import { storageFailure } from '../../../files/storageFailure.ts';
import { toWireError } from '../../ipc/wireError.ts';
import type { FromFolder, ToFolder } from './protocol.ts';
import { StateFolder } from './stateFolder.ts';

/** Entry of the thread that owns the folder: its calls block, and take turns here. */
let folder: StateFolder | undefined;
let path = '';

const port = parentPort as MessagePort;
port.on('message', (message: ToFolder) => {
  let reply: { value: unknown } | { error: ReturnType<typeof toWireError> };
  const transfer: ArrayBuffer[] = [];
  try {
    const value = answer(message);
    if (message.type === 'read' && value) transfer.push((value as Uint8Array).buffer as ArrayBuffer);
    reply = { value };
  } catch (error) {
    reply = { error: toWireError(userError(error)) };
  }
  const stats = folder && { bytes: folder.bytes, refused: { ...folder.refused } };
  const evicted = folder?.takeEvicted() ?? [];
  port.postMessage({ ...reply, stats, evicted } satisfies FromFolder, transfer);
});

function answer(message: ToFolder): unknown {
  if (message.type === 'open') {
    path = message.options.folder;
    folder = new StateFolder(message.options);
    return folder.salt;
  }
  if (!folder) throw failure('storage_unavailable', { path, reason: 'it is not open' });
  switch (message.type) {
    case 'write':
      return folder.write(message.object, message.body);
    case 'read': {
      const body = folder.read(message.id);
      // What is handed over must have a buffer of its own.
      return body && (body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body));
    }
    case 'scan':
      return folder.scan(message.limit);
    case 'remove':
      return folder.remove(message.ids);
    case 'hold':
      return folder.hold(message.tenant, message.image, message.session);
    case 'forget':
      return folder.forget(message.tenant, message.session);
    case 'yieldSpace':
      return folder.yieldSpace();
    case 'sessions':
      return folder.sessions();
    case 'close':
      return folder.close();
  }
}

function userError(error: unknown): AfterimageError {
  const known = storageFailure(error, path);
  if (known instanceof AfterimageError) return known;
  return failure('storage_unavailable', { path, reason: String(error) });
}
