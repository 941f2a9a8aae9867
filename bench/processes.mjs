import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/* Starts the processes of a run, and makes sure that each of them ends. */

const running = new Set()

class Process {
  #child
  #waiting = []

  constructor(file, execArgv = []) {
    const path = fileURLToPath(new URL(file, import.meta.url))
    this.#child = fork(path, { execArgv, env: { ...process.env, NODE_ENV: 'production' } })
    running.add(this.#child)
    this.#child.on('message', (message) => this.#waiting.shift()?.resolve(message))
    this.#child.on('exit', (code) => {
      running.delete(this.#child)
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${file} ended with ${code}`))
    })
  }

  /** Resolves with the next message of the process. */
  next() {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  ask(what, options = {}) {
    const answer = this.next()
    this.#child.send({ ask: what, ...options })
    return answer
  }

  async end() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await exited
  }
}

export async function startServer(file) {
  const server = new Process(file, ['--expose-gc'])
  const { url } = await server.next()
  return Object.assign(server, { url })
}

export const startLoad = () => new Process('load/load.mjs')

export function endAll() {
  for (const child of running) child.kill('SIGKILL')
}
