/** The caller's going away, as a signal: made when first asked for, since one costs more than reading a post. */
export class HangUp {
  #controller: AbortController | undefined
  #hasHappened = false

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#hasHappened) this.#controller.abort()
    return this.#controller.signal
  }

  abort(): void {
    this.#hasHappened = true
    this.#controller?.abort()
  }
}
