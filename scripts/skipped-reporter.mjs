// A vitest reporter that names the skipped tests at the end of a run, so that nothing is left out silently.

export default class SkippedReporter {
  /** @param {import('vitest/node').Vitest} vitest */
  onInit(vitest) {
    this.vitest = vitest
  }

  /** @param {readonly import('vitest/node').TestModule[]} modules */
  onTestRunEnd(modules) {
    // With `-t` the tests that do not match are skipped on request.
    if (this.vitest.config.testNamePattern) return
    for (const module of modules) {
      const skipped = [...module.children.allTests('skipped')]
      if (skipped.length === 0) continue
      const count = skipped.length === 1 ? '1 test' : `${skipped.length} tests`
      const names = new Set(skipped.map(({ fullName }) => fullName.split(' > ')[0]))
      this.vitest.logger.log(`skipped: ${module.relativeModuleId}, ${count}: ${[...names].join('; ')}`)
    }
  }
}
