import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepare } from '../../scripts/example.mjs'
import { blocksOf, root } from './snippets.js'
import { until } from './until.js'

/** A running program of an example. */
export interface Running extends AsyncDisposable {
  /** The output so far. */
  readonly said: string
  /** Resolves with the exit code. */
  readonly status: Promise<number | null>
  /** Interrupts the program, as Ctrl-C does. */
  interrupt(): void
}

export interface Example {
  /** The commands of the first block of the example's README. */
  readonly commands: string[]
  readonly readme: string
  /** Runs a script of the example to the end. */
  run(script: string, ...args: string[]): Promise<{ status: number | null; said: string }>
  /** Starts the last command of the README on a free port, with additional arguments. */
  start(env?: Record<string, string>, ...args: string[]): Running
}

/**
 * Prepares an example to run. Returns null if its packages cannot be installed on this machine: its tests are then
 * skipped. In CI this is an error.
 */
export function example(name: string): Example | null {
  try {
    prepare(name)
  } catch (error) {
    if (process.env['CI']) throw error
    console.warn(error)
    return null
  }
  const readme = `examples/${name}/README.md`
  const [first] = blocksOf(readme).filter(({ language }) => language === 'sh')
  const commands = first!.code.trim().split('\n')
  return {
    commands: commands.map((line) => line.replace(/ *#.*/, '')),
    readme: readFileSync(join(root, readme), 'utf8'),
    async run(script, ...args) {
      const running = launch(['scripts/example.mjs', name, script, ...args])
      const status = await running.status
      return { status, said: running.said }
    },
    start: (env = {}, ...args) => launch(['scripts/example.mjs', name, ...args], { PORT: '0', ...env }),
  }
}

/** Waits for the address that a program prints. */
export async function addressOf(running: Running): Promise<string> {
  const address = () => /http:\/\/[\w.[\]:]+:\d+/.exec(running.said)?.[0]
  await until('the program prints its address', address, 30_000).catch((error: Error) => {
    throw new Error(`${error.message}. Output of the program: ${running.said}`)
  })
  return address()!
}

function launch(args: string[], env: Record<string, string> = {}): Running {
  // A separate process group, so that the children of npm end too.
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const status = new Promise<number | null>((resolve) => child.on('close', resolve))
  const signal = (name: NodeJS.Signals) => {
    try {
      if (child.pid) process.kill(-child.pid, name)
    } catch {
      // The process has already ended, so there is nothing to signal.
    }
  }
  return {
    get said() {
      return said
    },
    status,
    interrupt: () => signal('SIGINT'),
    async [Symbol.asyncDispose]() {
      signal('SIGKILL')
      await status
    },
  }
}
