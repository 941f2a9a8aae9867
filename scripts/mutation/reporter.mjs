// A Stryker reporter that prints the progress, and writes each result to a file as soon as it is known, so that the
// results of a stopped run are kept.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin'

const everyMs = 15_000

class LinesReporter {
  #path = process.env['MUTATION_REPORT']
  #sources = new Map()
  #total = 0
  #tried = 0
  #open = 0
  #printedAt = Date.now()

  onMutationTestingPlanReady({ mutantPlans }) {
    const perFile = {}
    for (const { mutant } of mutantPlans) {
      const file = relative(process.cwd(), resolve(mutant.fileName))
      perFile[file] = (perFile[file] ?? 0) + 1
    }
    this.#total = mutantPlans.length
    writeFileSync(this.#path, `${JSON.stringify({ perFile })}\n`)
  }

  onMutantTested({ fileName, status, location, replacement = '' }) {
    const file = relative(process.cwd(), resolve(fileName))
    if (!this.#sources.has(file)) this.#sources.set(file, readFileSync(file, 'utf8').split('\n'))
    const { start, end } = location
    const line = this.#sources.get(file)[start.line - 1]
    const original = line.slice(start.column - 1, start.line === end.line ? end.column - 1 : undefined)
    appendFileSync(this.#path, `${JSON.stringify({ file, line: start.line, status, original, replacement })}\n`)
    this.#tried++
    if (status === 'Survived' || status === 'NoCoverage') this.#open++
    if (Date.now() - this.#printedAt < everyMs && this.#tried < this.#total) return
    this.#printedAt = Date.now()
    console.log(`   ${this.#tried} of ${this.#total} mutants, ${this.#open} not noticed`)
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Reporter, 'lines', LinesReporter)]
