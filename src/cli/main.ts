import { CommanderError } from 'commander'
import type { Clock } from '../server/index.js'
import { exitCode, failureOf } from './failure.js'
import { Output } from './output.js'
import { programOf, type CommonOptions } from './program.js'

/** Runs one command to its end. Resolves with the exit code; never rejects. */
export async function main(args: readonly string[], clock: Clock): Promise<number> {
  const { stdout, stderr, env } = process
  const outputOf = (json?: boolean) => new Output({ clock, stdout, stderr, env, json })
  // A closed stdout (`| head`) is not an error: rooms are left as after Ctrl-C.
  stdout.once('error', () => process.emit('SIGINT', 'SIGINT') || process.exit(exitCode.done)).on('error', () => {})
  let url = ''
  const program = programOf((act) => async (command) => {
    const options: CommonOptions = command
    url = options.url ?? ''
    await act(command, outputOf(options.json), clock)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode.done
  } catch (thrown) {
    // Commander has printed the usage error, or the help or version.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCode.done : exitCode.usage
    const failure = failureOf(thrown, url)
    outputOf().complain(failure.message)
    return failure.exitCode
  }
}
