import { manualClock } from 'hereabouts/testing'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type * as Serve from '../../src/cli/commands/serve.js'
import { Output } from '../../src/cli/output.js'
import type { ServerConfig } from '../../src/cli/server-config.js'
import { settled } from '../support/servers/memory-server.js'

/* The options that `hereabouts serve` passes to the server, which is replaced by one of the test. */

type Drained = (signal: string) => void
const seen = {
  options: {} as Record<string, unknown>,
  listened: [] as unknown[],
  drained: undefined as Drained | undefined,
  failure: null as Error | null,
  config: {} as object,
}
const server = '../../src/server/standalone/index.js'
const config = '../../src/cli/server-config.js'
vi.doMock(server, () => ({
  createLocationServer(options: Record<string, unknown>) {
    if (seen.failure) throw seen.failure
    seen.options = options
    return {
      async listen(...where: unknown[]) {
        seen.listened = where
        return { trpcUrl: `http://${String(where[1])}:${String(where[0])}/trpc` }
      },
    }
  },
  drainOnSignals: (_server: object, drained: Drained) => void (seen.drained = drained),
}))
vi.doMock(config, async (original) => ({
  ...(await original<object>()),
  loadServerConfig: async () => seen.config as ServerConfig,
}))
// A copy of the module for this file alone, because the files of a worker share their modules.
const copy = '../../src/cli/commands/serve.ts?options'
const { serve } = (await import(copy)) as typeof Serve
vi.doUnmock(server)
vi.doUnmock(config)

beforeEach(() => {
  seen.failure = null
  seen.config = {}
})

async function serving(command: Partial<Serve.ServeCommand>, json = true) {
  let said = ''
  const stream = { isTTY: false, write: (text: string) => void (said += text) } as unknown as NodeJS.WriteStream
  const output = new Output({ clock: manualClock(), stdout: stream, stderr: stream, env: {}, json })
  let failure: unknown
  void serve({ port: 3000, host: '127.0.0.1', location: 'any', ...command }, output).catch(
    (thrown: unknown) => (failure = thrown),
  )
  await settled()
  await settled()
  return { ...seen, said: () => said, failure: () => failure }
}

describe('`hereabouts serve`', () => {
  test('serve without options listens on the loopback address, is anonymous, and has all features', async () => {
    const { options, listened, said } = await serving({})
    expect(listened).toEqual([3000, '127.0.0.1'])
    expect(options).toMatchObject({ anonymous: true, locks: true, timing: { drainMs: 1_000 } })
    expect(Object.keys(options['broadcasts'] as object)).toEqual(['message', 'reaction'])
    expect((options['clientIp'] as () => unknown)()).toBe(undefined)
    expect(JSON.parse(said())).toMatchObject({
      type: 'listening',
      url: 'http://127.0.0.1:3000/trpc',
      location: 'any',
      anonymous: true,
    })
  })

  test('serve passes host, port, origins, host names and drain time on', async () => {
    const { options, listened, said } = await serving({
      host: '0.0.0.0',
      port: 8080,
      origin: ['https://a'],
      allowHost: ['b'],
      drain: 0.25,
      location: 'point',
    })
    expect(listened).toEqual([8080, '0.0.0.0'])
    expect(options).toMatchObject({ origins: ['https://a'], allowedHosts: ['b'], timing: { drainMs: 250 } })
    expect('clientIp' in options).toBe(false)
    expect(
      (options['location'] as { safeParse(value: object): { success: boolean } }).safeParse({ x: 1, y: 2 }).success,
    ).toBe(true)
    expect(JSON.parse(said())).toMatchObject({ location: 'point' })
  })

  test('the options of the config file are used, and an option of the command line overrides the same option of the file', async () => {
    const logger = { info() {}, warn() {}, error() {} }
    const identify = () => ({ memberId: 'm' })
    const clientIp = () => 'ip'
    const config = {
      location: 'own',
      identify,
      clientIp,
      logger,
      timing: { drainMs: 4_000, beatMs: 700 },
      origins: ['https://file'],
    }
    seen.config = config
    const file = await serving({ config: 'hub.mjs' })
    expect(file.options).toMatchObject(config)
    expect(['anonymous', 'locks', 'broadcasts', 'presence'].filter((name) => name in file.options)).toEqual([])
    expect(JSON.parse(file.said())).toMatchObject({ location: 'own', anonymous: false, config: 'hub.mjs' })
    const both = await serving({ config: 'hub.mjs', drain: 2, origin: ['https://line'] })
    expect(both.options).toMatchObject({ timing: { drainMs: 2_000, beatMs: 700 }, origins: ['https://line'] })
  })

  test.each([
    [{}, /Anonymous: anyone who can reach this address/],
    [{ location: 1, authorize: () => true }, /`authorize` of the file decides/],
  ])('serve warns when callers do not sign in: %j', async (config, said) => {
    seen.config = config
    expect((await serving({ config: 'hub.mjs' }, false)).said()).toMatch(said)
    seen.config = { ...config, identify: () => null }
    expect((await serving({ config: 'hub.mjs' }, false)).said()).not.toMatch(/Anonymous/)
  })

  test('serve says that it drains, and for how long', async () => {
    const { drained, said } = await serving({ drain: 3 })
    drained!('SIGTERM')
    expect(said().trim().split('\n').at(-1)).toMatch(/"type":"draining".*"signal":"SIGTERM","seconds":3/)
  })

  test('serve writes the log of its server, with the cause', async () => {
    const { options, said } = await serving({})
    const logger = options['logger'] as Record<string, (message: string, details?: object) => void>
    for (const level of ['info', 'warn', 'error']) logger[level]!(`A ${level}.`, { error: new Error('cause') })
    logger['info']!('Plain.')
    const lines = said()
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => JSON.parse(line) as object)
    expect(lines).toMatchObject([
      { type: 'log', level: 'info', message: 'A info.: cause' },
      { level: 'warn', message: 'A warn.: cause' },
      { level: 'error', message: 'A error.: cause' },
      { level: 'info', message: 'Plain.' },
    ])
  })

  test('a wrong option of the command line is a usage error, one of the file names the file, any other passes', async () => {
    const failing = async (message: string, command: Partial<Serve.ServeCommand>) => {
      seen.failure = new Error(message)
      return (await serving(command)).failure()
    }
    expect(await failing('origins has a path', { origin: ['x'], config: 'hub.mjs' })).toMatchObject({
      exitCode: 2,
      message: 'origins has a path',
    })
    expect(await failing('allowedHosts is wrong', { allowHost: ['x'] })).toMatchObject({ exitCode: 2 })
    expect(await failing('origins has a path', { config: 'hub.mjs' })).toMatchObject({
      exitCode: 2,
      message: 'hub.mjs: origins has a path',
    })
    expect(await failing('anything', {})).toBe(seen.failure)
  })
})
