import { createLocationClient } from 'hereabouts/client'
import { serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { example } from '../support/example.js'
import { until } from '../support/until.js'

const timing = { scale: 1 / 20 }
const cell = (row: number, col = 2) => ({ sheet: 'Q3', row, col })

test('the bot of node-script follows a member, also after a server restart', { timeout: 60_000 }, async () => {
  const { commands, start } = example('node-script')!
  expect(commands).toEqual(['npm ci', 'npm run example node-script'])
  const first = await serveLocations({ timing })
  await using bot = start({}, first.url, 'sheet-42')
  const client = createLocationClient<typeof first.server.router>({ url: first.url })
  const room = client.join('sheet-42', { location: cell(1), profile: { name: 'Ada' } })
  const isFollowed = (row: number) => room.membersAt(cell(row, 3)).some(({ profile }) => profile?.name === 'Shadow')
  try {
    // The bot's post can arrive before its stream is open. It would miss a move in between, so wait for both.
    const timesLive = () => bot.said.split('now live').length - 1
    await until('the bot is there', () => room.others.length === 1 && timesLive() === 1, 20_000)
    room.post(cell(2))
    await until('the bot follows', () => isFollowed(2))
    await first.close()
    await until('the bot has noticed', () => bot.said.includes('now waiting'))
    await using _second = await serveLocations({ timing, port: first.port })
    await until(
      'everyone is back',
      () => room.status.state === 'live' && room.others.length === 1 && timesLive() === 2,
      20_000,
    )
    room.post(cell(5))
    await until('the bot follows again', () => isFollowed(5))
    bot.interrupt()
    await until('the bot left', () => room.others.length === 0)
    await bot.status
  } finally {
    await client.close()
  }
})
