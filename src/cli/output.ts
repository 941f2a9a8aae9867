import { styleText } from 'node:util'
import type { Clock } from '../server/index.js'
import { jsonLine, printable } from './printable.js'

export type OutputOptions = {
  clock: Clock
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
  env: NodeJS.ProcessEnv
  /** Writes JSON lines instead of text. Default: true, unless stdout is a terminal. */
  json: boolean | undefined
}

type Style = Parameters<typeof styleText>[0]

// Moves to the first column and erases the line (ECMA-48, EL).
const emptied = '\r\u001b[2K'

/** The output of a command: text for a person at a terminal, JSON lines for a program. */
export class Output {
  readonly isJson: boolean
  readonly #options: OutputOptions
  readonly #isTerminal: boolean
  readonly #hasColors: boolean
  #pinned = ''

  constructor(options: OutputOptions) {
    const { stdout, env, json } = options
    this.#options = options
    this.isJson = json ?? !stdout.isTTY
    this.#isTerminal = stdout.isTTY && env['TERM'] !== 'dumb'
    // https://no-color.org: colours are off when NO_COLOR is present and not empty.
    this.#hasColors = this.#isTerminal && !env['NO_COLOR']
  }

  /**
   * Writes one event: `details` as a JSON line for programs, or `text` for people. With `null`, people are shown
   * nothing.
   */
  say(type: string, details: object, text: string | null): void {
    if (this.isJson) this.#write(`${jsonLine({ type, at: this.#now().toISOString(), ...details })}\n`)
    else if (text !== null) this.#write(`${text}\n`)
  }

  /** Keeps `text` as the last line of a terminal, below everything else, until it is replaced. An empty text removes it. */
  pin(text: string): void {
    if (this.isJson || !this.#isTerminal || text === this.#pinned) return
    this.#erase()
    this.#pinned = text
    this.#write('')
  }

  /** Erases the last line of a terminal at the end, whether it is pinned text or the `^C` of an interruption. */
  tidy(): void {
    this.#pinned = ''
    if (!this.isJson && this.#isTerminal) this.#options.stdout.write(emptied)
  }

  /** Writes an error that ends the program to stderr. */
  complain(message: string): void {
    this.tidy()
    const { stderr } = this.#options
    stderr.write(`${stderr.isTTY ? this.style('red', 'error:') : 'error:'} ${printable(message)}\n`)
  }

  style(style: Style, text: string): string {
    return this.#hasColors ? styleText(style, text, { validateStream: false }) : text
  }

  /** Returns a dot in a member's colour, which is the same as on web pages. */
  dot(color: string): string {
    const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16))
    const isTrueColor = this.#hasColors && this.#options.stdout.getColorDepth(this.#options.env) === 24
    return isTrueColor ? `\u001b[38;2;${red};${green};${blue}m●\u001b[39m` : '●'
  }

  /** Returns the local time of day. */
  time(): string {
    const now = this.#now()
    const two = (value: number) => String(value).padStart(2, '0')
    return this.style('dim', [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':'))
  }

  #now(): Date {
    return this.#options.clock.date()
  }

  #write(text: string): void {
    const { stdout } = this.#options
    if (text) this.#erase()
    // The pinned line is cut to the width of the terminal: a line that wraps could not be erased.
    const line = this.#pinned && this.style('dim', printable(this.#pinned, (stdout.columns || 80) - 1))
    stdout.write(text + line)
  }

  #erase(): void {
    if (this.#pinned) this.#options.stdout.write(emptied)
  }
}
