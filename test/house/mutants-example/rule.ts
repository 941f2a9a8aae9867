/** A minimal rule, which the mutants of list.mjs change. See mutants-run.test.ts. */
export const speaks = (seq: number, stored: number) => seq > stored
