import { LocationError } from '../client/index.js'

/** The exit codes of the process, for scripts. Every `--help` lists them too. */
export const exitCode = { done: 0, refused: 1, usage: 2, unreachable: 3, killed: 130 } as const

/** An error that ends the process with an exit code, and a one-line message that says what to do next. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exitCode: number

  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCode
  }
}

/** Turns an error thrown while calling the server at `url` into a Failure. */
export function failureOf(thrown: unknown, url: string): Failure {
  if (thrown instanceof Failure) return thrown
  if (!(thrown instanceof LocationError)) return new Failure(exitCode.refused, messageOf(thrown), thrown)
  switch (thrown.code) {
    case 'network':
      return new Failure(
        exitCode.unreachable,
        `No server answers at ${url}: start one with \`npx hereabouts serve\`, or give its address with --url.`,
        thrown,
      )
    case 'unavailable':
      return new Failure(exitCode.unreachable, thrown.message, thrown)
    default:
      return new Failure(exitCode.refused, hasNoProcedure(thrown) ? notHere(url) : thrown.message, thrown)
  }
}

/** The message for a server that answers but is not a location server, or has the location router at another path. */
export const notHere = (url: string) =>
  `${url} answers, but not as a location server: check --url (it usually ends in /trpc), and --path if the procedures are merged into an app's router.`

/**
 * True if the answer shows that no location router is at the URL. The client then sets the HTTP status as the `code` of
 * the cause. tRPC's answer to an unknown path differs from an app's own 404 only by its message.
 */
function hasNoProcedure({ code, message, cause }: LocationError): boolean {
  if (code === 'misconfigured') return typeof codeOf(cause) === 'number'
  return (
    code === 'bad-input' &&
    (codeOf((cause as Error | undefined)?.cause) === 404 || message.startsWith('No procedure found'))
  )
}

const codeOf = (cause: unknown) => (cause as { code?: unknown } | undefined)?.code

const messageOf = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown))
