import { createLocationServer } from 'hereabouts/server/standalone'
import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { cellLocation } from 'hereabouts'
import { expect, test } from 'vitest'
import { raw } from '../../support/network/raw.js'

test('listening twice is `misconfigured`, and the message has the URL', async () => {
  const server = createLocationServer({ location: cellLocation, anonymous: true })
  const { url } = await server.listen(0)
  await expect(server.listen(0)).rejects.toMatchObject({ code: 'misconfigured', message: expect.stringContaining(url) })
  expect((await raw(`${url}/livez`)).status).toBe(200)
  await server.close()
  await expect(server.listen(0)).rejects.toMatchObject({ code: 'closed' })
})

test('listening twice with metrics fails, and works again after close()', async () => {
  const metrics = prometheusMetrics()
  const { url } = await metrics.listen(0)
  await expect(metrics.listen(0)).rejects.toThrow(`listens already, at ${new URL(url).origin}: `)
  await metrics.close()
  await metrics.listen(0)
  await metrics.close()
})
