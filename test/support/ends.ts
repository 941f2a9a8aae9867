/** Disposables that outlive one block. `end` disposes them in reverse order. */
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
