// @ts-check
import { Command, InvalidArgumentError, Option } from 'commander'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { drainOnSignals } from 'hereabouts/server/standalone'
import { startBots } from './bots.mjs'
import { createSheetServer } from './server.mjs'

const page = fileURLToPath(new URL('./dist', import.meta.url))

/** @param {number} most */
const integerTo = (most) => (/** @type {string} */ text) => {
  if (/^\d{1,6}$/.test(text) && Number(text) <= most) return Number(text)
  throw new InvalidArgumentError(`Give a whole number from 0 to ${most}.`)
}

/** @param {string} text */
const nonEmpty = (text) => {
  if (text.trim()) return text.trim()
  throw new InvalidArgumentError('Give an address of this machine, such as 127.0.0.1.')
}

const command = new Command('npm start --')
  .description('A spreadsheet that people edit together, and see who is where.')
  .addOption(
    new Option('--bots <n>', 'the number of bots in room demo, which move and edit cells now and then')
      .default(3)
      .argParser(integerTo(200)),
  )
  .addOption(
    new Option('--port <n>', 'the port to listen on; 0 picks a free port')
      .env('PORT')
      .default(3000)
      .argParser(integerTo(65_535)),
  )
  .addOption(
    new Option('--host <address>', 'the address to listen on; 0.0.0.0 means all')
      .env('HOST')
      .default('127.0.0.1')
      .argParser(nonEmpty),
  )
  .showSuggestionAfterError(false)
  .parse()

/** @type {{ bots: number, port: number, host: string }} */
const { bots, port, host } = command.opts()

if (!existsSync(page)) fail('The page is not built yet: run npm start.')
const server = createSheetServer(page)
const { url } = await server.listen(port, host).catch((error) => fail(error.message))

const goHome = new AbortController()
startBots(server, 'demo', bots, goHome.signal, (error) => console.error(`A bot stopped: ${String(error)}`))
drainOnSignals(server, () => goHome.abort())

// The URL for a browser: localhost in place of a wildcard or loopback address.
console.log(
  `Who is where: ${url.replace(/\/\/(127\.0\.0\.1|0\.0\.0\.0|\[::1?\])(?=:)/, '//localhost')}  (open it in two windows; Ctrl-C ends it)`,
)

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(message)
  process.exit(1)
}
