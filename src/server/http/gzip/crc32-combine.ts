/*
 * The CRC-32 of two texts in a row, made of that of each: so a reader's checksum follows from those of the frames that it
 * was sent, and no byte is looked at twice. After zlib's crc32_combine_op: a CRC is a polynomial over GF(2), and text
 * that comes after it multiplies it by a power of x.
 */

/** RFC 1952 §8, its bits reversed: the lowest power is the highest bit. */
const polynomial = 0xedb88320
const one = 0x80000000

/** What so many bytes, coming after, multiply a CRC by. */
export function shiftOf(bytes: number): number {
  let shift = one
  // Eight bits a byte, and 8 is 2 to the third.
  for (let power = 3, rest = bytes; rest > 0; power++, rest = Math.floor(rest / 2))
    if (rest % 2 === 1) shift = product(doubled[power % doubled.length]!, shift)
  return shift
}

/** The CRC of a text, and what came after it: about 60 ns. */
export const combined = (before: number, after: number, shiftOfAfter: number): number =>
  (product(shiftOfAfter, before) ^ after) >>> 0

function product(a: number, b: number): number {
  let sum = 0
  for (let bit = one, rest = a; rest !== 0; bit >>>= 1) {
    if (rest & bit) {
      sum ^= b
      rest &= ~bit
    }
    b = b & 1 ? (b >>> 1) ^ polynomial : b >>> 1
  }
  return sum >>> 0
}

/** x to the power of 1, 2, 4, 8 and so on; after 32 of them it begins anew. */
const doubled = [one >>> 1]
while (doubled.length < 32) doubled.push(product(doubled.at(-1)!, doubled.at(-1)!))
