import type { InfiniteQueryObserverResult } from '@tanstack/react-query'
import { useCallback } from 'react'

type Pages = Pick<
  InfiniteQueryObserverResult,
  'fetchNextPage' | 'hasNextPage' | 'isFetching' | 'isFetchNextPageError'
>

/**
 * Reads the next page of a list, if there is one and nothing of the list is being read. One that could not be read is
 * read after the next refresh.
 */
export function useNextPage(list: Pages): () => void {
  const { fetchNextPage, hasNextPage, isFetching, isFetchNextPageError } = list
  return useCallback(() => {
    if (hasNextPage && !isFetching && !isFetchNextPageError) void fetchNextPage()
  }, [fetchNextPage, hasNextPage, isFetching, isFetchNextPageError])
}
