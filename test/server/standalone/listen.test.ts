import { createLocationServer } from 'hereabouts/server/standalone'
import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { cellLocation } from 'hereabouts'
import { expect, test } from 'vitest'
import { raw } from '../../support/network/raw.js'

test('a second listen() of a server is `misconfigured`, and the error message has the URL of the server', async () => {
  const server = createLocationServer({ location: cellLocation, anonymous: true })
  const { url } = await server.listen(0)
  await expect(server.listen(0)).rejects.toMatchObject({ code: 'misconfigured', message: expect.stringContaining(url) })
  expect((await raw(`${url}/livez`)).status).toBe(200)
  await server.close()
  await expect(server.listen(0)).rejects.toMatchObject({ code: 'closed' })
})

test('a second listen() of prometheusMetrics() fails until close() is called', async () => {
  const metrics = prometheusMetrics()
  const { url } = await metrics.listen(0)
  await expect(metrics.listen(0)).rejects.toThrow(`listens already, at ${new URL(url).origin}: `)
  await metrics.close()
  await metrics.listen(0)
  await metrics.close()
})

test.each(['127.0.0.1', '0.0.0.0', '::', '::1', '::ffff:127.0.0.1', '::ffff:0.0.0.0'])(
  'the URL that listen() returns for %s can be called',
  async (host) => {
    const server = createLocationServer({ location: cellLocation, anonymous: true })
    const metrics = prometheusMetrics()
    const { trpcUrl } = await server.listen(0, host)
    // Linux also connects to wildcard addresses such as 0.0.0.0, but other systems and browsers do not.
    expect(['127.0.0.1', '[::1]']).toContain(new URL(trpcUrl).hostname)
    const input = encodeURIComponent('{"room":"r"}')
    expect((await raw(`${trpcUrl}/getLocations?input=${input}`)).status).toBe(200)
    const { url } = await metrics.listen(0, host)
    expect((await raw(url)).status).toBe(200)
    await metrics.close()
    await server.close()
  },
)

test.each([
  // An unset shell variable gives an empty host, with which Node would listen on all addresses.
  [0, ''],
  [0, 5 as never],
  [0, null as never],
  // Node would listen on a pipe with this name.
  ['/tmp/hereabouts.sock' as never, '127.0.0.1'],
  ['' as never, '127.0.0.1'],
  [null as never, '127.0.0.1'],
  [-1, '127.0.0.1'],
  [1.5, '127.0.0.1'],
  [NaN, '127.0.0.1'],
  [65_536, '127.0.0.1'],
])('listen() refuses the port %j with the host %j as `misconfigured`', async (port, host) => {
  const server = createLocationServer({ location: cellLocation, anonymous: true })
  const metrics = prometheusMetrics()
  const refusal = { code: 'misconfigured', message: expect.stringContaining('Cannot listen on') as string }
  await expect(server.listen(port, host)).rejects.toMatchObject(refusal)
  await expect(metrics.listen(port, host)).rejects.toMatchObject(refusal)
  await server.close()
})

test('listen() accepts a port as text, as an environment variable contains it', async () => {
  const server = createLocationServer({ location: cellLocation, anonymous: true })
  const { url } = await server.listen('0' as never)
  expect(Number(new URL(url).port)).toBeGreaterThan(0)
  await server.close()
})

test('a static folder without an index.html is named in a warning', async () => {
  const warnings: string[] = []
  const logger = { info() {}, error() {}, warn: (message: string) => void warnings.push(message) }
  const server = createLocationServer({ location: cellLocation, anonymous: true, logger, static: 'no/such/folder' })
  await server.listen(0)
  await server.close()
  expect(warnings).toEqual([expect.stringContaining('no/such/folder')])
})

test('a server on all addresses answers to a public name that a proxy on the same machine passes on', async () => {
  const server = createLocationServer({ location: cellLocation, anonymous: true })
  const { trpcUrl } = await server.listen(0, '0.0.0.0')
  const input = encodeURIComponent('{"room":"r"}')
  const headers = { host: 'app.example', origin: 'https://app.example' }
  expect((await raw(`${trpcUrl}/getLocations?input=${input}`, { headers })).status).toBe(200)
  await server.close()
})

test('the metrics endpoint ignores a query string, answers the hosts in allowedHosts, and refuses others with advice', async () => {
  const metrics = prometheusMetrics({ allowedHosts: ['metrics.example'] })
  const { url } = await metrics.listen(0)
  expect((await raw(`${url}?x=1`)).status).toBe(200)
  expect((await raw(`${url}x`)).status).toBe(404)
  expect((await raw(url, { headers: { host: 'metrics.example' } })).status).toBe(200)
  const refused = await raw(url, { headers: { host: 'other.example' } })
  expect([refused.status, refused.body]).toEqual([403, expect.stringContaining('list the name in allowedHosts')])
  await metrics.close()
  expect(() => prometheusMetrics({ allowedHosts: 'metrics.example' as never })).toThrow('allowedHosts')
})
