/** Rice coding of whole numbers as FITS has it (standard 4.0, section 10.4.1). */
import { FitsError } from './header'

/** Bytes of a pixel. */
export type BytePix = 1 | 2 | 4

/** Bits of the number that a block begins with, and the number that says that its differences stand there as they are. */
const codes: Record<BytePix, { bits: number; plain: number }> = {
  1: { bits: 3, plain: 6 },
  2: { bits: 4, plain: 14 },
  4: { bits: 5, plain: 25 },
}

/** The pixels of a tile: those of one byte without a sign, the others with one. */
export function unrice(
  bytes: Uint8Array,
  count: number,
  bytePix: BytePix,
  blockSize: number,
): Uint8Array | Int16Array | Int32Array {
  const made = bytePix === 1 ? Uint8Array : bytePix === 2 ? Int16Array : Int32Array
  const pixels = new made(count)
  const { bits, plain } = codes[bytePix]
  const from = new Bits(bytes)
  let last = from.take(8 * bytePix)
  for (let start = 0; start < count; start += blockSize) {
    const end = Math.min(start + blockSize, count)
    const split = from.take(bits) - 1
    if (split < 0) pixels.fill(last, start, end)
    else {
      for (let at = start; at < end; at += 1) {
        const folded = split === plain ? from.take(8 * bytePix) : (from.zeros() << split) | from.take(split)
        // Differences come as 0, -1, 1, -2, …; what is beyond a pixel's range goes round, here and in the array.
        last = (last + ((folded >>> 1) ^ -(folded & 1))) | 0
        pixels[at] = last
      }
    }
  }
  return pixels
}

/** Bits from the greatest of each byte on. */
class Bits {
  private next = 0
  private held = 0
  /** Bits of the byte that is held which have not been taken. */
  private left = 0

  constructor(private readonly bytes: Uint8Array) {}

  /** So many bits as a number: up to 32, with a sign if it is as many. */
  take(count: number): number {
    let value = 0
    let wanted = count
    while (wanted > this.left) {
      value = (value << this.left) | (this.held & ((1 << this.left) - 1))
      wanted -= this.left
      this.load()
    }
    this.left -= wanted
    return (value << wanted) | ((this.held >>> this.left) & ((1 << wanted) - 1))
  }

  /** How many zeros come before the next one; all of them are taken. */
  zeros(): number {
    let zeros = 0
    for (;;) {
      const rest = this.held & ((1 << this.left) - 1)
      if (rest !== 0) {
        const before = Math.clz32(rest) - (32 - this.left)
        this.left -= before + 1
        return zeros + before
      }
      zeros += this.left
      this.load()
    }
  }

  private load() {
    const byte = this.bytes[this.next]
    if (byte === undefined) throw new FitsError('its Rice code ends before its pixels do')
    this.held = byte
    this.left = 8
    this.next += 1
  }
}
