/** What a test must end, the last first; for what lives longer than one block. */
export class Ends {
  readonly #all: AsyncDisposable[] = []

  use<T extends AsyncDisposable>(one: T): T {
    this.#all.push(one)
    return one
  }

  async end(): Promise<void> {
    for (let one; (one = this.#all.pop());) await one[Symbol.asyncDispose]()
  }
}
