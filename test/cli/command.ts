import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../../bin/hereabouts.mjs', import.meta.url))

type Options = { input?: string; env?: Record<string, string>; script?: string }

export type Line = { type: string; [key: string]: unknown }
export type Ended = { code: number | null; stdout: string; stderr: string }

/** Runs the real command line, or another script, in its own process. Disposal ends the process. */
export interface Command extends AsyncDisposable {
  /** Returns the next JSON line for which `wanted` is true, and skips the lines before it. */
  next(wanted: (line: Line) => boolean): Promise<Line>
  /** Resolves when stdout contains the text. */
  printed(text: string): Promise<void>
  kill(signal: NodeJS.Signals): void
  closeStdout(): void
  readonly ended: Promise<Ended>
}

export function start(args: string[], { script = bin, ...options }: Options = {}): Command {
  const { NO_COLOR: _, HEREABOUTS_URL: __, ...env } = process.env
  const child = spawn(process.execPath, [script, ...args], { env: { ...env, ...options.env } })
  child.stdin.end(options.input ?? '')
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    ended,
    async next(wanted) {
      for (;;) {
        const { value, done } = await lines.next()
        if (done) throw new Error(`The command ended before the expected line: ${args.join(' ')}\n${stdout}${stderr}`)
        const line = JSON.parse(value) as Line
        if (wanted(line)) return line
      }
    },
    async printed(text) {
      while (!stdout.includes(text)) await once(child.stdout, 'data')
    },
    kill: (signal) => child.kill(signal),
    closeStdout: () => child.stdout.destroy(),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Runs the command until it exits. */
export const run = (args: string[], options: Options = {}) => start(args, options).ended

export const ofType =
  (...types: string[]) =>
  ({ type }: Line) =>
    types.includes(type)

export const linesOf = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
