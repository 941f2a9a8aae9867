// Computes the scores of a run and compares them with those in scores.json. Pure.
//
// A result is { file, line, status, original, replacement }, as reporter.mjs writes it.

const kinds = { Killed: 'killed', Timeout: 'killed', Survived: 'survived', NoCoverage: 'noCoverage' }

/** Counts the mutants of each file. A mutant that times out counts as noticed, as Stryker counts it. */
export function countsOf(results) {
  const counts = {}
  for (const { file, status } of results) {
    counts[file] ??= { killed: 0, survived: 0, noCoverage: 0 }
    if (kinds[status]) counts[file][kinds[status]]++
  }
  return counts
}

/** The sum of the counts of several files. */
export function sumOf(counts) {
  const sum = { killed: 0, survived: 0, noCoverage: 0 }
  for (const count of counts) for (const key of Object.keys(sum)) sum[key] += count[key]
  return sum
}

/**
 * The share of covered mutants that some test notices, in whole percent and rounded down, so that 89.9 is not shown as 90.
 * 100 when no mutant is covered.
 */
export function scoreOf({ killed, survived }) {
  return killed + survived === 0 ? 100 : Math.floor((100 * killed) / (killed + survived))
}

/**
 * Returns a sentence for each file whose score is below the one in the list. A file that is not in the list must reach the
 * goal of its folder.
 */
export function worse(counts, listed, goalOf) {
  return Object.entries(counts).flatMap(([file, count]) => {
    const least = listed[file] ? scoreOf(listed[file]) : goalOf(file)
    const score = scoreOf(count)
    return score >= least ? [] : [`${file}: ${score} % of the covered mutants are noticed; it has to be ${least} %`]
  })
}

/** Returns each mutant that no test notices, as `file:line  code  ->  its replacement`. */
export function unnoticed(results) {
  const oneLine = (text) => text.replaceAll(/\s+/g, ' ').slice(0, 90)
  return results
    .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    .map(({ file, line, status, original, replacement }) => {
      const covered = status === 'Survived' ? '' : '  (no test runs this)'
      return `${file}:${line}  ${oneLine(original)}  ->  ${oneLine(replacement)}${covered}`
    })
}

/** Returns a Markdown table of folders, aligned as prettier aligns it. */
export function tableOf(rows) {
  const head = ['folder', 'killed', 'survived', 'no coverage', 'score', 'goal']
  const cells = rows.map(({ folder, counts, goal }) => [
    `\`${folder}\``,
    `${counts.killed}`,
    `${counts.survived}`,
    `${counts.noCoverage}`,
    `${scoreOf(counts)} %`,
    `${goal} %`,
  ])
  const wide = head.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i].length)))
  const aligned = (cell, i) => (i === 0 ? cell.padEnd(wide[i]) : cell.padStart(wide[i]))
  const line = (row) => `| ${row.map(aligned).join(' | ')} |`
  const rule = `| ${wide.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [line(head), rule, ...cells.map(line)].join('\n')
}
