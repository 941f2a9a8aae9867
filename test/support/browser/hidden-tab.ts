import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromiumArgs, chromiumPath } from './chromium.js'

type Target = { id: string; type: string; url: string; title: string }

/** A browser that is controlled only by its list of tabs: a page that a debugger is attached to is never hidden. */
export interface TabList extends AsyncDisposable {
  /** Opens a tab in front of the others. Returns its id. */
  open(url: string): Promise<string>
  /** Brings a tab to the front, which hides the others. */
  activate(id: string): Promise<void>
  /** Returns the title of a page. */
  title(id: string): Promise<string>
}

export async function tabList(): Promise<TabList> {
  const profile = await mkdtemp(join(tmpdir(), 'hereabouts-tabs-'))
  const browser = spawn(
    chromiumPath!,
    [...chromiumArgs, '--headless=new', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const exited = once(browser, 'exit')
  const dispose = async () => {
    browser.kill('SIGKILL')
    await exited
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
  let said = ''
  let port: string | undefined
  browser.stderr.setEncoding('utf8')
  for await (const text of browser.stderr.iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
    said += text
    ;[, port] = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(said) ?? []
    if (port) break
  }
  if (!port) {
    await dispose()
    throw new Error(`Chromium did not start: ${said}`)
  }
  browser.stderr.resume()
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${port}/json/${path}`, { method })
    return response.text()
  }
  return {
    open: async (url) => (JSON.parse(await ask(`new?${encodeURIComponent(url)}`, 'PUT')) as Target).id,
    activate: async (id) => void (await ask(`activate/${id}`)),
    title: async (id) =>
      (JSON.parse(await ask('list')) as Target[]).find((target) => target.id === id)?.title ?? 'it is closed',
    [Symbol.asyncDispose]: dispose,
  }
}
