/** A rule as small as they come, for mutants.test.ts to take out. */
export const speaks = (seq: number, stored: number) => seq > stored
