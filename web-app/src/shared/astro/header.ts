/** Headers of FITS files (standard 4.0, section 4): cards of 80 characters in blocks of 2880 bytes. */

export const BLOCK = 2880
const CARD = 80
/** A header longer than this is no header. */
const MOST_BLOCKS = 2_000

/** What cannot be read, and why: for people. */
export class FitsError extends Error {
  override readonly name = 'FitsError'
}

export type CardValue = string | number | boolean | undefined
export type Card = { keyword: string; value: CardValue; comment: string }

/** The cards of a header in their order, and values by keyword. */
export class Header {
  private readonly values = new Map<string, CardValue>()

  constructor(readonly cards: readonly Card[]) {
    // Of a keyword that stands there twice, the first counts.
    for (const { keyword, value } of cards) if (!this.values.has(keyword)) this.values.set(keyword, value)
  }

  text(keyword: string): string | undefined {
    const value = this.values.get(keyword)
    return typeof value === 'string' ? value.trimEnd() : undefined
  }

  number(keyword: string): number | undefined {
    const value = this.values.get(keyword)
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined
  }

  flag(keyword: string): boolean {
    return this.values.get(keyword) === true
  }

  has(keyword: string): boolean {
    return this.values.has(keyword)
  }
}

const latin = new TextDecoder('latin1')

/** The header that begins at this byte, and the byte after its last block. */
export function readHeader(bytes: Uint8Array, start: number): { header: Header; end: number } {
  const cards: Card[] = []
  for (let block = 0; block < MOST_BLOCKS; block += 1) {
    const from = start + block * BLOCK
    if (from + BLOCK > bytes.length) throw new FitsError('The file ends within a header: there is no END.')
    for (let at = from; at < from + BLOCK; at += CARD) {
      const text = latin.decode(bytes.subarray(at, at + CARD))
      if (text.startsWith('END') && text.trimEnd() === 'END')
        return { header: new Header(cards), end: from + BLOCK }
      const card = parseCard(text)
      const last = cards.at(-1)
      if (card.keyword === 'CONTINUE' && typeof card.value === 'string' && continues(last)) {
        last.value = last.value.slice(0, -1) + card.value
        if (card.comment !== '') last.comment = `${last.comment} ${card.comment}`.trim()
      } else if (card.keyword !== '' || card.value !== '') cards.push(card)
    }
  }
  throw new FitsError(`A header has no END within ${MOST_BLOCKS} blocks.`)
}

/** A text is no longer than this: each part copies what is before it. */
const MOST_TEXT = 64 * 1024

const continues = (card: Card | undefined): card is Card & { value: string } =>
  typeof card?.value === 'string' && card.value.length < MOST_TEXT && card.value.endsWith('&')

export function parseCard(text: string): Card {
  const keyword = text.slice(0, 8).trimEnd()
  if (keyword === 'HIERARCH') {
    const equals = text.indexOf('=')
    if (equals > 0) return { keyword: text.slice(9, equals).trim(), ...parseValue(text.slice(equals + 1)) }
  }
  if (text.slice(8, 10) === '= ') return { keyword, ...parseValue(text.slice(10)) }
  if (keyword === 'CONTINUE') return { keyword, ...parseValue(text.slice(8)) }
  return { keyword, value: text.slice(8).trimEnd(), comment: '' }
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([ED][+-]?\d+)?$/i

function parseValue(field: string): { value: CardValue; comment: string } {
  const quoted = /^\s*'((?:[^']|'')*)'\s*(?:\/(.*))?/.exec(field)
  if (quoted !== null) {
    return { value: (quoted[1] ?? '').replaceAll("''", "'").trimEnd(), comment: (quoted[2] ?? '').trim() }
  }
  const slash = field.indexOf('/')
  const text = (slash < 0 ? field : field.slice(0, slash)).trim()
  const comment = slash < 0 ? '' : field.slice(slash + 1).trim()
  if (text === 'T' || text === 'F') return { value: text === 'T', comment }
  if (NUMBER.test(text)) return { value: Number(text.replace(/d/i, 'e')), comment }
  // Complex numbers, and what is none of the kinds, as they stand there.
  return { value: text === '' ? undefined : text, comment }
}
