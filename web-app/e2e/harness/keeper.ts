import { readFile } from 'node:fs/promises'
import { createServer, type Server as Listener } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What LTD Keeper tells of a product at once. */
export type Product = {
  product: Record<string, unknown> & { slug: string; title: string }
  editions: Record<string, unknown>[]
  builds: Record<string, unknown>[]
}

/** The Keeper of which there are recorded answers called itself so. */
const RECORDED = 'http://127.0.0.1:15000'

/** A recorded answer. */
export async function recorded(slug: string): Promise<Product> {
  const text = await readFile(`../tests/it/data/keeper/v1-bulk-${slug}.json`, 'utf8')
  return JSON.parse(text) as Product
}

/**
 * A stand-in for LTD Keeper, which says so at its root: no documentation is built there. It tells of products what it
 * was told, and can be kept from answering.
 */
export class Keeper {
  private readonly products = new Map<string, Product>()
  private waiting: (() => void)[] | undefined

  private constructor(private readonly listener: Listener) {}

  static start(...products: readonly Product[]): Promise<Keeper> {
    return new Promise((resolve) => {
      const listener = createServer(({ url = '' }, response) => {
        const answer = () => {
          const body = keeper.answer(url)
          response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'application/json' })
          response.end(JSON.stringify(body ?? { status: 404, error: 'not found' }))
        }
        if (keeper.waiting === undefined) answer()
        else keeper.waiting.push(answer)
      })
      const keeper = new Keeper(listener)
      for (const product of products) keeper.publish(product)
      listener.listen(0, '127.0.0.1', () => resolve(keeper))
    })
  }

  get url(): string {
    return `http://127.0.0.1:${(this.listener.address() as AddressInfo).port}`
  }

  /** The lines of a server's settings by which it asks this Keeper. */
  settings(name: string, prefix = ''): string {
    return `[[dashboard.keepers]]\nname = '${name}'\nbase_url = '${this.url}'\nprefix = '${prefix}'\nprivate_ok = true\n`
  }

  /** Tells this of the product from now on. */
  publish(product: Product): void {
    this.products.set(product.product.slug, product)
  }

  /** Knows it no more. */
  forget(slug: string): void {
    this.products.delete(slug)
  }

  /** Whoever asks waits until it is released. */
  hold(): void {
    this.waiting ??= []
  }

  release(): void {
    const { waiting = [] } = this
    this.waiting = undefined
    for (const answer of waiting) answer()
  }

  close(): void {
    this.listener.closeAllConnections()
    this.listener.close()
  }

  private answer(path: string): unknown {
    if (path === '/') return { about: 'A stand-in for LTD Keeper, of tests' }
    if (path === '/products/')
      return { products: [...this.products.keys()].map((slug) => `${this.url}/products/${slug}`) }
    const [, slug = '', whole] = /^\/products\/([^/]+)(\/dashboard)?$/.exec(path) ?? []
    const product = this.products.get(slug)
    if (product === undefined) return undefined
    const told = whole === undefined ? product.product : product
    return JSON.parse(JSON.stringify(told).replaceAll(RECORDED, this.url)) as unknown
  }
}

/** A product with so many editions and builds, a day apart each, as a real Keeper would tell of it. */
export function large(slug: string, editions: number, builds: number): Product {
  const base = `https://${slug}.docs.example`
  const time = (index: number) => new Date(Date.UTC(2026, 10, 20) - index * 7_200_000).toISOString()
  const ref = (index: number) =>
    index === 0
      ? 'main'
      : index % 5 === 0
        ? `v${Math.floor(index / 50)}.${index % 50}`
        : index % 3 === 0
          ? `u/someone/try-${index}`
          : `tickets/DM-${40_000 + index}`
  const key = (index: number) => index.toString(16).padStart(32, '0')
  const product_url = `${RECORDED}/products/${slug}`
  return {
    product: {
      slug,
      title: `Science pipelines: design and plans of ${slug}`,
      doc_repo: `https://github.com/example-org/${slug}.git`,
      domain: `${slug}.docs.example`,
      root_domain: 'docs.example',
      bucket_name: 'ltd-test',
      published_url: base,
      self_url: product_url,
      surrogate_key: key(0),
    },
    editions: Array.from({ length: editions }, (_, index) => ({
      self_url: `${RECORDED}/editions/${index + 1}`,
      product_url,
      slug: ref(index).replaceAll('/', '-'),
      title: index === 0 ? 'Latest' : ref(index),
      tracked_refs: [ref(index)],
      mode: 'git_refs',
      date_created: time(index + 1),
      date_ended: null,
      date_rebuilt: time(index),
      pending_rebuild: index === 1,
      build_url: index === 2 ? null : `${RECORDED}/builds/${builds - index}`,
      published_url: index === 0 ? base : `${base}/v/${ref(index).replaceAll('/', '-')}`,
      surrogate_key: key(index + 1),
    })),
    builds: Array.from({ length: builds }, (_, index) => ({
      self_url: `${RECORDED}/builds/${builds - index}`,
      product_url,
      slug: String(builds - index),
      git_refs: [ref(index % editions)],
      github_requester: index % 4 === 0 ? 'octo' : null,
      bucket_name: 'ltd-test',
      bucket_root_dir: `${slug}/builds/${builds - index}`,
      date_created: time(index),
      date_ended: null,
      uploaded: index !== 3,
      published_url: `${base}/builds/${builds - index}`,
      surrogate_key: key(index + 1),
    })),
  }
}
