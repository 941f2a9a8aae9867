// The mutants of room.lua, for scripts/mutants.mjs: npm run mutation:lua
//
// Each mutant changes one operator, constant or statement. The differential test runs the same histories in room.ts and
// in the script, so it notices every mutant that changes an outcome, a commit or the stored state.
//
//   npm run mutation:lua                  all mutants
//   npm run mutation:lua -- 120:          the mutants of line 120
//   npm run mutation:lua -- --part 1/10   a tenth of the mutants, spread over the whole script
import { readFileSync } from 'node:fs'

const file = 'src/server/backends/redis/room.lua'
const tests = ['test/redis/differential.test.ts', 'test/redis/locks.test.ts', 'test/redis/clock-steps.test.ts']

/** Mutants that change nothing that can be observed: a part of the line, and the reason. */
const equivalent = [
  ['ids, first, math.min(first + 999', 'the size of a bulk read changes no result'],
  ['for first = 1, #ids, 1000 do', 'the size of a bulk read changes no result'],
]

/** What is looked for in code, and what it becomes. */
const operators = [
  [/==/g, '~='],
  [/~=/g, '=='],
  [/<=/g, '<'],
  [/>=/g, '>'],
  [/(?<![<>=~])<(?![=<])/g, '<='],
  [/(?<![<>=~-])>(?![=>])/g, '>='],
  [/\band\b/g, 'or'],
  [/\bor\b/g, 'and'],
  [/\bnot /g, ''],
  [/(?<=[\w)\]] )\+(?= )/g, '-'],
  [/(?<=[\w)\]] )-(?= )/g, '+'],
  [/\btrue\b/g, 'false'],
  [/\bfalse\b/g, 'true'],
  [/math\.min/g, 'math.max'],
  [/math\.max/g, 'math.min'],
  [/(?<![\w.%[])\d+(?![\w.\]])/g, (number) => String(Number(number) + 1)],
  // A statement that writes is replaced by an empty `do end`, because `nil` is no statement in Lua.
  [/^\s*(?:call|write|setLeaseEnd|setLockEnd|renew|shorten)\(.*\)$/g, 'do end'],
]

/** Strings and the comment of a line, replaced by as many characters that no operator matches. */
const codeOf = (line) =>
  line
    .replaceAll(/'[^']*'|"[^"]*"/g, (text) => '\u0000'.repeat(text.length))
    .replace(/--.*$/, (text) => '\u0000'.repeat(text.length))

/** The text of a line with as many lines before it as make it occur once. */
function uniquePlace(lines, n) {
  const source = lines.join('\n')
  for (let first = n; first >= 0; first--) {
    const place = lines.slice(first, n + 1).join('\n')
    if (source.split(place).length === 2)
      return {
        before: lines
          .slice(first, n)
          .map((line) => `${line}\n`)
          .join(''),
        place,
      }
  }
  throw new Error(`line ${n + 1} occurs twice, with all that comes before it`)
}

function* mutantsOf(source) {
  const lines = source.split('\n')
  for (const [n, line] of lines.entries()) {
    if (line.startsWith('#!') || equivalent.some(([part]) => line.includes(part))) continue
    const code = codeOf(line)
    for (const [pattern, becomes] of operators)
      for (const { 0: found, index } of code.matchAll(pattern)) {
        const replaced = typeof becomes === 'string' ? becomes : becomes(found)
        const mutated = line.slice(0, index) + replaced + line.slice(index + found.length)
        const { before, place } = uniquePlace(lines, n)
        const short = (text) => text.trim().slice(0, 40)
        yield {
          name: `${n + 1}:${index + 1} ${short(found)} -> ${replaced}`,
          rule: short(line),
          file,
          find: place,
          replace: before + mutated,
          tests,
        }
      }
  }
}

const inOrder = [...mutantsOf(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))]
/** Orders the mutants so that any part of the list is a fair sample: by multiples of the golden ratio. */
const place = new Map(inOrder.map((mutant, i) => [mutant, (i * 0.618_033_988_749_895) % 1]))
export default inOrder.toSorted((a, b) => place.get(a) - place.get(b))
