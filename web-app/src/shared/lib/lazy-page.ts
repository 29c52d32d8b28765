import { createElement, use, type ComponentType } from 'react'

/** A part of the app that did not come: the server is away, or has another version of it. */
export class PartMissing extends Error {
  override readonly name = 'PartMissing'

  constructor(
    cause: unknown,
    /** Forgets that it did not come: the next look asks for it again. */
    readonly forget: () => void,
  ) {
    super('A part of this page did not come.', { cause })
  }
}

/**
 * A page that is loaded when it is first needed. The router's own would open the app anew when that fails, and so
 * lose it while the server is away; and would not ask again.
 */
export function lazyPage(load: () => Promise<ComponentType>) {
  let page: ComponentType | undefined
  let coming: Promise<void> | undefined

  const ask = () =>
    (coming ??= load().then(
      (loaded) => {
        page = loaded
      },
      (error: unknown) => {
        throw new PartMissing(error, () => {
          coming = undefined
        })
      },
    ))
  function LazyPage() {
    if (page === undefined) use(ask())
    return page === undefined ? null : createElement(page)
  }
  // What fails beforehand is told when the page is looked at.
  LazyPage.preload = () => ask().catch(() => undefined)
  return LazyPage
}
