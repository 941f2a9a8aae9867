import type { Page } from 'playwright-core'

/** The difference between two pictures: in size, and in the share of tiles that differ. */
export interface PictureDifference {
  /** The larger of the relative differences in width and height. */
  size: number
  /** The share of the tiles whose mean colour differs by more than 24 of 255 in some channel. */
  tiles: number
}

/**
 * Compares two pictures tile by tile, in a browser page. A tile is 1/60 of the width. Another font, antialiasing or a
 * line of one pixel changes the mean colour of a tile little. A missing background, border, avatar or row changes it
 * much.
 */
export function pictureDifference(page: Page, before: Buffer, now: Buffer): Promise<PictureDifference> {
  return page.evaluate(
    async ([before, now]) => {
      const images = await Promise.all(
        [before!, now!].map(async (base64) => {
          const image = new Image()
          image.src = `data:image/*;base64,${base64}`
          await image.decode()
          return image
        }),
      )
      const [width, height] = [60, Math.round((60 * images[0]!.height) / images[0]!.width)]
      const [one, other] = images.map((image) => {
        const canvas = document.createElement('canvas')
        Object.assign(canvas, { width, height })
        const context = canvas.getContext('2d')!
        context.imageSmoothingQuality = 'high'
        context.drawImage(image, 0, 0, width, height)
        return context.getImageData(0, 0, width, height).data
      })
      let differing = 0
      for (let i = 0; i < one!.length; i += 4)
        if ([0, 1, 2].some((channel) => Math.abs(one![i + channel]! - other![i + channel]!) > 24)) differing += 1
      const lengths = (['width', 'height'] as const).map((side) => Math.abs(1 - images[0]![side] / images[1]![side]))
      return { size: Math.max(...lengths), tiles: differing / (width * height) }
    },
    [before, now].map((picture) => picture.toString('base64')),
  )
}

/** Returns a picture scaled to a width of 300 pixels: enough for a comparison, and small enough for the repository. */
export async function shrunk(page: Page, picture: Buffer): Promise<Buffer> {
  const base64 = await page.evaluate(async (base64) => {
    const image = new Image()
    image.src = `data:image/*;base64,${base64}`
    await image.decode()
    const canvas = document.createElement('canvas')
    Object.assign(canvas, { width: 300, height: Math.round((300 * image.height) / image.width) })
    const context = canvas.getContext('2d')!
    context.imageSmoothingQuality = 'high'
    context.drawImage(image, 0, 0, canvas.width, canvas.height)
    return canvas.toDataURL('image/webp', 0.8).split(',')[1]!
  }, picture.toString('base64'))
  return Buffer.from(base64, 'base64')
}
