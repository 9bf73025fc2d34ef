const year = '[0-9]{4}';
const leapYear = '[0-9]{2}(?:0[48]|[2468][048]|[13579][26])';
const date = `(?:${year}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|${leapYear}-02-29)`;
const time =
  '(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])';
const hex = '[0-9a-f]';
const byte = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const path = "[A-Za-z0-9._~!$&'()*+,;=:@/-]";

/**
 * JSON Schema's `format` as patterns, for those that can be told by their letters alone (RFC 3339, 4122, 5321, 3986). Each
 * is at most what its standard allows: no leap second, no 29 February 2000, no quoted mailbox, no percent in a URI.
 */
export const stringFormats: Readonly<Record<string, string>> = {
  date: `^${date}$`,
  time: `^${time}$`,
  'date-time': `^${date}T${time}$`,
  uuid: `^${hex}{8}-${hex}{4}-[1-8]${hex}{3}-[89ab]${hex}{3}-${hex}{12}$`,
  ipv4: `^${byte}(?:\\.${byte}){3}$`,
  email: `^[A-Za-z0-9_+-]{1,64}(?:\\.[A-Za-z0-9_+-]{1,32}){0,3}@(?:${label}\\.)+[A-Za-z]{2,63}$`,
  hostname: `^${label}(?:\\.${label}){0,3}$`,
  uri: `^[a-z][a-z0-9+.-]{0,15}://(?:${label}\\.)*${label}(?::[1-9][0-9]{0,3})?(?:/${path}*)?(?:\\?(?:${path}|\\?)*)?(?:#(?:${path}|\\?)*)?$`,
};
