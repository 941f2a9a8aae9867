import { LocationError } from '../client/index.js'

/** What the process ends with, for scripts. Every `--help` says so too. */
export const exitCode = { done: 0, refused: 1, usage: 2, unreachable: 3, killed: 130 } as const

/** An end that is not a success: an exit code, and one line that says what to do next. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exitCode: number

  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCode
  }
}

/** What was thrown on the way to a server at `url`, as a failure. */
export function failureOf(thrown: unknown, url: string): Failure {
  if (thrown instanceof Failure) return thrown
  if (!(thrown instanceof LocationError)) return new Failure(exitCode.refused, messageOf(thrown), thrown)
  switch (thrown.code) {
    case 'network':
      return new Failure(
        exitCode.unreachable,
        `Nothing answers at ${url}: start a server with \`npx hereabouts serve\`, or say where it is with --url.`,
        thrown,
      )
    case 'unavailable':
      return new Failure(exitCode.unreachable, thrown.message, thrown)
    default:
      return new Failure(exitCode.refused, hasNoProcedure(thrown) ? notHere(url) : thrown.message, thrown)
  }
}

/** For a server that is there, but is not one of ours, or not at this address. */
export const notHere = (url: string) =>
  `${url} answers, but not as a location server: check --url (it mostly ends in /trpc), and --path if the procedures are merged into an app.`

// tRPC's own words for a path that it does not know; any other server answers 404.
const hasNoProcedure = ({ code, message }: LocationError) =>
  (code === 'misconfigured' && message.startsWith('Nothing of Hereabouts')) ||
  (code === 'bad-input' && /^No procedure found|\b404\b/.test(message))

const messageOf = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown))
