import { createHash } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'

export const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex')

/** The files of a tar (POSIX ustar and pax), by name without folders. */
export function untar(data: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  let longName: string | undefined
  for (let at = 0; at + 512 <= data.length;) {
    const field = (start: number, length: number) =>
      data.toString('utf8', at + start, at + start + length).replace(/\0.*$/s, '')
    const name = field(0, 100)
    if (name === '') break
    const size = parseInt(field(124, 12).trim(), 8)
    const body = data.subarray(at + 512, at + 512 + size)
    const kind = field(156, 1)
    if (kind === 'x') longName = /\d+ path=(.*)\n/.exec(body.toString('utf8'))?.[1]
    else {
      if (kind === '0' || kind === '') files.set(base(longName ?? name), Buffer.from(body))
      longName = undefined
    }
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}

/** The files of a zip, by name without folders, found by its central directory. */
export function unzip(data: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  const end = data.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  let at = data.readUInt32LE(end + 16)
  for (let left = data.readUInt16LE(end + 10); left > 0; left -= 1) {
    const method = data.readUInt16LE(at + 10)
    const packed = data.readUInt32LE(at + 20)
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => data.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ]
    const name = data.toString('utf8', at + 46, at + 46 + nameLength)
    const local = data.readUInt32LE(at + 42)
    const start = local + 30 + data.readUInt16LE(local + 26) + data.readUInt16LE(local + 28)
    const body = data.subarray(start, start + packed)
    if (!name.endsWith('/')) files.set(base(name), method === 0 ? Buffer.from(body) : inflateRawSync(body))
    at += 46 + nameLength + extra + comment
  }
  return files
}

const base = (path: string) => path.replace(/^.*\//, '')
