/** An abort signal that is created on first use: creating an AbortController costs more than reading a post. */
export class LazyAbort {
  #controller: AbortController | undefined
  #isAborted = false

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isAborted) this.#controller.abort()
    return this.#controller.signal
  }

  abort(): void {
    this.#isAborted = true
    this.#controller?.abort()
  }
}
