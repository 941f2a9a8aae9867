import { createLocationClient } from 'hereabouts/client'
import { expect, test } from 'vitest'
import { scriptedServer } from '../../support/servers/scripted-server.js'

test('a post without a presence value has no `presence` key, which a transformer would send as undefined', async () => {
  await using server = await scriptedServer()
  const posts: object[] = []
  const client = createLocationClient({
    url: server.url,
    transformer: {
      serialize(value: object) {
        if ('seq' in value) posts.push(value)
        return value
      },
      deserialize: (value: unknown) => value,
    },
  } as never)
  client.join('r')
  await server.post()
  expect(posts.length).toBeGreaterThan(0)
  for (const post of posts) expect(Object.keys(post)).not.toContain('presence')
  await client.close()
})
