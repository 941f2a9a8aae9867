// Each of our rules, taken out: npm run mutants demands that a test notices. What an entry says: scripts/mutants.mjs.
export default []
