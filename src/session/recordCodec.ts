import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { failure } from '../core/errors.ts';
import type { ResponseRecord, SessionRecord, TurnResult } from './record.ts';
import { tierOf } from './tier.ts';

/**
 * A stored session: one byte of format, then its record as deflated JSON. Format 1 knew no function calls in answers, no
 * pictures in their outputs, and nothing of tiers and comparisons; format 2 knew no vectors of pictures. Both are read, and
 * written as format 3.
 */
const format = 3;
/** Far above any record that is written; a damaged one may claim to be anything. */
const maxInflatedBytes = 256 * 2 ** 20;
/** A turn deflates its record twice: the default, 6, takes 1.8 times as long for 4% less (60 turns: 0.5 ms, 10.0 KB). */
const deflateLevel = 3;

export function encodeRecord(record: SessionRecord): Uint8Array {
  return Buffer.concat([
    Uint8Array.of(format),
    deflateRawSync(JSON.stringify(record), { level: deflateLevel }),
  ]);
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
  return found < 3 ? withoutVectors(found === 1 ? upgraded(record) : record) : record;
}

function withoutVectors(record: SessionRecord): SessionRecord {
  return { ...record, pictures: record.pictures.map((picture) => ({ ...picture, vector: null })) };
}

/** What format 1 didn't say follows from what it did. */
function upgraded(record: SessionRecord): SessionRecord {
  const { intent } = record;
  return {
    ...record,
    responses: record.responses.map(upgradedResponse),
    intent: intent && { ...intent, response: upgradedResponse(intent.response) },
  };
}

function upgradedResponse(response: ResponseRecord): ResponseRecord {
  const result: TurnResult | null = response.result && {
    ...response.result,
    tier: tierOf(response.result.usage, undefined),
    droppedItems: 0,
  };
  return { ...response, result, comparison: null, toolsDigest: null, formatDigest: null };
}
