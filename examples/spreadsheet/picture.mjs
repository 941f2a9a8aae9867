// @ts-check
// Takes the screenshot at the top of the README: npm run build -- package demo && node examples/spreadsheet/picture.mjs
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { crc32, deflateSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import { Bot } from './bots.mjs'
import { createSheetServer } from './server.mjs'

const page = fileURLToPath(new URL('./dist', import.meta.url))
const picture = fileURLToPath(new URL('../../docs/demo.png', import.meta.url))

/** The member who edits a cell, and the pointers over the sheet. */
const editor = { name: 'Ada', color: '#c2410c' }
const edited = { sheet: 'Plan', row: 19, col: 0 }
/** @type {Record<string, { row: number, col: number, x: number, y: number }>} */
const pointers = { Grace: { row: 11, col: 8, x: 0.3, y: 0.4 }, Sam: { row: 20, col: 4, x: 0.2, y: 0.6 } }

/** @type {[name: string, color: string, steps: import('./server.mjs').Location[], bot?: boolean][]} */
const people = [
  ['Pim', '#57606a', [{ sheet: 'Q3', row: 8, col: 4 }], true],
  ['Noor', '#9333ea', [{ sheet: 'Budget', row: 9, col: 3 }]],
  [
    'Otto',
    '#0f766e',
    [
      { sheet: 'Plan', row: 22, col: 4 },
      { sheet: 'Plan', row: 22, col: 5 },
    ],
    true,
  ],
  [
    'Tomás',
    '#2563eb',
    [
      { sheet: 'Plan', row: 6, col: 1 },
      { sheet: 'Plan', row: 7, col: 1 },
    ],
  ],
  [
    'Grace',
    '#d11a66',
    [
      { sheet: 'Plan', row: 8, col: 6 },
      { sheet: 'Plan', row: 8, col: 7 },
    ],
  ],
  [
    'Kenji',
    '#15803d',
    [
      { sheet: 'Plan', from: { row: 12, col: 3 }, to: { row: 12, col: 3 } },
      { sheet: 'Plan', from: { row: 12, col: 3 }, to: { row: 15, col: 5 } },
    ],
  ],
  [
    'Linh',
    '#0372b4',
    [
      { sheet: 'Plan', row: 18, col: 2 },
      { sheet: 'Plan', row: 19, col: 2 },
    ],
  ],
  [
    'Sam',
    '#a16207',
    [
      { sheet: 'Plan', row: 19, col: 1 },
      { sheet: 'Plan', row: 19, col: 2 },
    ],
  ],
]

const server = createSheetServer(page)
const { url } = await server.listen(0)
const room = server.hub.room('demo')
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
})
try {
  const tab = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' })
  await tab.addInitScript(() => {
    localStorage.setItem('hereabouts.profile', JSON.stringify({ name: 'Mara', color: '#5b50e8' }))
    sessionStorage.setItem(
      'hereabouts.place.demo',
      JSON.stringify({ sheet: 'Plan', selection: { anchor: { row: 9, col: 2 }, head: { row: 9, col: 2 } } }),
    )
  })
  await tab.goto(url)
  await tab.waitForSelector('.status[data-state=live]')
  await tab.waitForTimeout(500)
  const longest = Math.max(...people.map(([, , steps]) => steps.length))
  for (let step = 0; step < longest; step++) {
    for (const [name, color, steps, bot] of people) {
      const location = steps[step]
      const pointer = pointers[name]
      const presence = pointer ? { pointer: { sheet: 'Plan', ...pointer } } : {}
      const profile = { name, color, ...(bot && { bot }) }
      if (location) await room.post({ memberId: name, profile, location, presence })
      await tab.waitForTimeout(30)
    }
    await tab.waitForTimeout(200)
  }
  const ada = new Bot(server, 'demo', editor)
  await ada.post(edited)
  // Ada keeps typing until the screenshot has been taken.
  void ada.write(edited, '', () => new Promise(() => {}))
  await tab.getByText('Ada is typing').waitFor()
  await tab.waitForTimeout(600)
  const bytes = await smaller(await tab.screenshot())
  writeFileSync(picture, bytes)
  console.log(`${picture}: ${Math.round(bytes.length / 1024)} KB`)
} finally {
  await browser.close()
  await server.close()
}

/**
 * Compresses a PNG again, because browsers choose speed over size. Unfiltered lines without alpha give the smallest
 * file for a page of flat colours.
 *
 * @param {Buffer} png
 */
async function smaller(png) {
  const blank = await browser.newPage()
  const pixels = await blank.evaluate(async (base64) => {
    const image = new Image()
    image.src = `data:image/png;base64,${base64}`
    await image.decode()
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d')
    if (!context) throw new Error('This browser has no canvas.')
    context.drawImage(image, 0, 0)
    const { data, width, height } = context.getImageData(0, 0, image.width, image.height)
    return { data: Array.from(data), width, height }
  }, png.toString('base64'))
  const { data, width, height } = pixels
  const lines = Buffer.alloc(height * (1 + width * 3))
  for (let y = 0, to = 0; y < height; y++) {
    lines[to++] = 0
    for (let from = y * width * 4; from < (y + 1) * width * 4; from += 4)
      for (let part = 0; part < 3; part++) lines[to++] = data[from + part] ?? 0
  }
  // A PNG chunk (third edition, 5.3) has a length, a type, data and a checksum. The header declares 8 bits each of red,
  // green and blue.
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2], 8)
  const chunk = (/** @type {string} */ type, /** @type {Buffer} */ content) => {
    const body = Buffer.concat([Buffer.from(type), content])
    const around = Buffer.alloc(8)
    around.writeUInt32BE(content.length, 0)
    around.writeUInt32BE(crc32(body), 4)
    return Buffer.concat([around.subarray(0, 4), body, around.subarray(4)])
  }
  const signature = png.subarray(0, 8)
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
