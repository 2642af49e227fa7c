/** Points in time as people and the dracut module write them: the one reading of them, and its bounds. */

/** End of the year 9999; milliseconds, given by mistake, are beyond it. Unix seconds. */
export const LATEST_TIME = 253_402_300_799;
/**
 * 2000-01-01T00:00:00Z in Unix seconds. What a program writes for "now" or "when this was made" and is older comes from one that does
 * not know: 0 and 1 (OSTree), 1980 (zip, Nix), a clock without a battery. The dracut module has the same bound.
 */
export const EARLIEST_BUILD = 946_684_800;

const FORM = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(Z|[+-]\d\d:\d\d)$/;

/** Unix seconds of such as `2026-11-01T00:00:00Z`, with an offset from UTC; undefined for everything else. Pure */
export function parseTime(text: string): number | undefined {
  const [, day, minute, second = ":00", offset] = FORM.exec(text) ?? [];
  if (day === undefined) return undefined;
  const local = `${day}T${minute}${second}`;
  const plain = Date.parse(`${local}Z`);
  // 30 February would become 2 March, and 24:00 the next day
  if (Number.isNaN(plain) || new Date(plain).toISOString() !== `${local}.000Z`) return undefined;
  const seconds = Date.parse(`${local}${offset}`) / 1000;
  return Number.isInteger(seconds) ? seconds : undefined;
}

/** Seconds since 1970 as the module writes them. Pure */
export const formatTime = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
