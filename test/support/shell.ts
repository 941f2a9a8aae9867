import { spawn } from 'node:child_process'
import { until } from './until.js'

export type ShellResult = { status: number | null | 'ended by us'; said: string }

/**
 * Runs a script to its end. A script that does not end is killed when `isEnough` accepts its output, or after the time
 * limit of `until`.
 */
export async function shell(
  script: string,
  isEnough: (said: () => string) => boolean | Promise<boolean>,
  cwd?: string,
): Promise<ShellResult> {
  // A separate process group, so that the children of the shell end too.
  const child = spawn('bash', ['-ec', script], { cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()))
  let status: number | null | undefined
  const closed = new Promise<void>((resolve) => child.on('close', (code) => ((status = code), resolve())))
  await until('the script ends or has printed enough', () => status !== undefined || isEnough(() => said)).catch(
    () => {},
  )
  if (status !== undefined) return { status, said }
  process.kill(-child.pid!)
  await closed
  return { status: 'ended by us', said }
}
