// npm run check:sentences: the share of comment sentences in src that begin with a word that hides the subject, such as
// "What" or "Who". Prints each place and fails when the share is above the limit.
//
//   npm run check:sentences
//   npm run check:sentences -- --limit 30    another limit, in percent
//   npm run check:sentences -- src/client    another folder
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parseSync } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({
  options: { limit: { type: 'string', default: '5' } },
  allowPositionals: true,
})
const limit = Number(values.limit)

const bareBeginning = /^(What|Who|Whose|Whoever|Whatever|As|One that|How many)\b/

/**
 * Returns the comments of a file as text, each with the line at which it begins. Consecutive `//` lines are one
 * comment.
 */
function commentsOf(path) {
  const source = readFileSync(path, 'utf8')
  const comments = []
  let end = 0
  for (const comment of parseSync(path, source).comments) {
    const line = source.slice(0, comment.start).split('\n').length
    const text = comment.value.replaceAll(/^[\s/]*\*? ?/gm, '')
    const last = comments.at(-1)
    const continues = comment.type === 'Line' && last?.type === 'Line' && /^\s*$/.test(source.slice(end, comment.start))
    if (continues) last.text += `\n${text}`
    else comments.push({ type: comment.type, line, text })
    end = comment.end
  }
  return comments
}

/**
 * Returns the sentences of a comment. A list item, a paragraph and a JSDoc tag each begin a new sentence; code does not
 * count.
 */
function sentencesOf({ line, text }) {
  const prose = text.replaceAll(/```[\s\S]*?```/g, (code) => code.replaceAll(/[^\n]/g, ' '))
  const sentences = []
  const separator = /(?<=[.!?:][)"'`]*)\s+(?=[`"'(]?[A-Z])|\n\s*\n|\n\s*(?=[-*] |@)/g
  let start = 0
  for (const match of [...prose.matchAll(separator), { index: prose.length, 0: '' }]) {
    const raw = prose.slice(start, match.index)
    const indent = raw.length - raw.trimStart().length
    const sentence = raw
      .trim()
      .replace(/^[-*] /, '')
      .replace(/^@(?:param \S+|\w+)\s*/, '')
      .replaceAll(/\s+/g, ' ')
    const lines = prose.slice(0, start + indent).split('\n').length - 1
    if (/\w/.test(sentence)) sentences.push({ sentence, line: line + lines })
    start = match.index + match[0].length
  }
  return sentences
}

const files = (positionals.length > 0 ? positionals : ['src']).flatMap((path) => {
  const full = join(root, path)
  if (statSync(full).isFile()) return [full]
  return readdirSync(full, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(tsx?|mjs)$/.test(name))
    .map((name) => join(full, name))
})

let count = 0
const bare = []
for (const path of files.toSorted())
  for (const comment of commentsOf(path))
    for (const { sentence, line } of sentencesOf(comment)) {
      count++
      if (bareBeginning.test(sentence)) bare.push(`${relative(root, path)}:${line}: ${sentence.slice(0, 90)}`)
    }

for (const place of bare) console.log(place)
const share = (100 * bare.length) / Math.max(count, 1)
console.log(
  `${bare.length} of ${count} comment sentences begin with a bare word: ${share.toFixed(1)} % (limit ${limit} %)`,
)
if (share > limit) process.exitCode = 1
