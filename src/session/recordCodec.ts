import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { failure } from '../core/errors.ts';
import type { SessionRecord } from './record.ts';

/** A stored session: one byte of format, then its record as deflated JSON. */
const format = 1;
/** Far above any record that is written; a damaged one may claim to be anything. */
const maxInflatedBytes = 256 * 2 ** 20;

export function encodeRecord(record: SessionRecord): Uint8Array {
  return Buffer.concat([Uint8Array.of(format), deflateRawSync(JSON.stringify(record))]);
}

/** @throws storage_newer_format, storage_corrupt naming the session. */
export function decodeRecord(session: string, value: Uint8Array): SessionRecord {
  const path = `The record of session ${session}`;
  const found = value[0] ?? 0;
  if (found > format) throw failure('storage_newer_format', { path, format: found, supported: format });
  let record: SessionRecord;
  try {
    const json = inflateRawSync(value.subarray(1), { maxOutputLength: maxInflatedBytes }).toString('utf8');
    record = JSON.parse(json);
  } catch (cause) {
    throw failure('storage_corrupt', { path, reason: 'it is not deflated JSON' }, { cause });
  }
  if (record.session !== session) {
    throw failure('storage_corrupt', { path, reason: `it is the record of session ${record.session}` });
  }
  return record;
}
