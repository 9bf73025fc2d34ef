/** Shows in the file's header whose database it is: `AFIM`. */
export const applicationId = 0x4146494d;

/**
 * Step n brings a database from format n to n + 1; the format is SQLite's `user_version`. Steps that were released are never
 * changed.
 *
 * Names are compared byte by byte (BINARY), so order is that of their UTF-8. The index serves `takeExpired` and, as it
 * covers it, `count`.
 */
export const migrations: readonly string[] = [
  `
  PRAGMA application_id = ${applicationId};
  CREATE TABLE records (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    expires_at_ms INTEGER,
    PRIMARY KEY (tenant, kind, id)
  ) STRICT;
  CREATE INDEX records_by_expiry ON records (kind, expires_at_ms);
  `,
];
