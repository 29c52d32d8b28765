import './theme/styles'
import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { ApiError } from '@/shared/api/problem'
import { cspNonce } from '@/shared/config'
import { LiveUpdates } from './LiveUpdates'
import { createAppRouter } from './router'
import { mantineTheme } from './theme/mantine'
import { useScheme } from './theme/useScheme'

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // An answer stays an answer; only none, or one of a server in trouble, may become another.
      retry: (failures, error) =>
        failures < 3 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
      retryDelay: (failures) => Math.min(1_000 * 2 ** failures, 15_000),
    },
  },
})
const router = createAppRouter(queryClient)
const nonce = cspNonce()

export function App() {
  const scheme = useScheme()
  return (
    <StrictMode>
      <MantineProvider theme={mantineTheme} forceColorScheme={scheme} getStyleNonce={() => nonce}>
        <QueryClientProvider client={queryClient}>
          <LiveUpdates />
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>
  )
}
