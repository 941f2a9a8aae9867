import { existsSync } from 'node:fs'
import { chromium, type Browser, type LaunchOptions } from 'playwright-core'

const candidates = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

/** The path of Chromium on this machine, or null. Tests without it are skipped with `describe.skipIf(!chromiumPath)`. */
export const chromiumPath: string | null = candidates.find((path) => path && existsSync(path)) ?? null

if (!chromiumPath && process.env['REQUIRE_CHROMIUM'] === '1')
  throw new Error('REQUIRE_CHROMIUM=1, but no Chromium was found: run scripts/machine.sh, or set CHROMIUM_PATH')

export const chromiumArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Launches a browser without background traffic. Close it: `await using browser = await launchChromium()`. */
export function launchChromium({ args = [], ...options }: LaunchOptions = {}): Promise<Browser> {
  if (!chromiumPath) throw new Error('No Chromium was found: run scripts/machine.sh, or set CHROMIUM_PATH')
  return chromium.launch({
    executablePath: chromiumPath,
    args: [...chromiumArgs, ...args],
    ...options,
  })
}
