import { expect, test, vi } from 'vitest'
import { editionsQuery, isOver, phaseOf, publicUrl, rebuild, rebuildRequest } from './api'

test('public addresses are below their folder, whatever is in its name', () => {
  expect(publicUrl({ path: 'sqr-900' }, 'v/')).toBe('/dashboards/sqr-900/v/')
  expect(publicUrl({ path: 'spec/a b?#' }, 'builds/index.json')).toBe(
    '/dashboards/spec/a%20b%3F%23/builds/index.json',
  )
})

test('a phase that is not known is none of ours', () => {
  expect(phaseOf({ phase: 'EXECUTING' })).toBe('EXECUTING')
  expect(phaseOf({ phase: 'DREAMING' })).toBe('UNKNOWN')
  expect(isOver({ phase: 'COMPLETED' })).toBe(true)
  expect(isOver({ phase: 'QUEUED' })).toBe(false)
})

test('a rebuild names products with their Keeper, and is forced only if asked to', () => {
  const one = [{ keeper: 'lsst', product: 'sqr-900' }]
  expect(rebuildRequest(one, false)).toEqual({
    service: 'dashboard',
    run: true,
    runId: 'rebuild sqr-900',
    parameters: { PRODUCT: ['lsst/sqr-900'] },
  })
  expect(rebuildRequest(one, true).parameters).toEqual({ PRODUCT: ['lsst/sqr-900'], FORCE: 'true' })
  expect(rebuildRequest([{ keeper: 'lsst', product: 'x'.repeat(100) }], false).runId).toHaveLength(64)
})

test('many products are several jobs, each with at most a hundred and a key of its own', async () => {
  const sent: { key: string | null; products: string[] }[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const body = (await request.json()) as { parameters: { PRODUCT: string[] } }
    sent.push({ key: request.headers.get('idempotency-key'), products: body.parameters.PRODUCT })
    return Response.json({ jobId: `job ${sent.length}` }, { status: 201 })
  })
  const all = Array.from({ length: 201 }, (_, index) => ({ keeper: 'lsst', product: `p-${index}` }))
  const jobs = await rebuild(all)
  expect(jobs).toHaveLength(3)
  expect(sent.map(({ products }) => products.length)).toEqual([100, 100, 1])
  expect(new Set(sent.map(({ key }) => key)).size).toBe(3)
  expect(sent.flatMap(({ products }) => products)).toEqual(all.map(({ product }) => `lsst/${product}`))
  vi.unstubAllGlobals()
})

test('what was published is read anew once something else is', () => {
  const dashboard = { keeper: 'lsst', product: 'pipes', path: 'pipes' }
  const key = (published?: string) => JSON.stringify(editionsQuery({ ...dashboard, published }).queryKey)
  expect(key('2026-11-21T12:00:00Z')).not.toBe(key('2026-11-21T13:00:00Z'))
  expect(key()).toBe(key())
})
