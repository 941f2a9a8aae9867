import type { Reporter, TestModule, Vitest } from 'vitest/node'

/** Prints the skipped tests of each file at the end of a run, so that no test is skipped unnoticed. */
export class SkippedReporter implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    // With `-t` the other tests are skipped on request.
    if (this.#vitest?.config.testNamePattern) return
    for (const module of modules) {
      const skipped = [...module.children.allTests('skipped')]
      if (skipped.length === 0) continue
      const suites = new Set(skipped.map(({ fullName }) => fullName.split(' > ')[0]))
      const count = skipped.length === 1 ? '1 test' : `${skipped.length} tests`
      this.#vitest?.logger.log(`skipped: ${module.relativeModuleId}, ${count}: ${[...suites].join('; ')}`)
      for (const test of skipped) {
        const result = test.result()
        if (result.state === 'skipped' && result.note) this.#vitest?.logger.log(`  ${test.name}: ${result.note}`)
      }
    }
  }
}
