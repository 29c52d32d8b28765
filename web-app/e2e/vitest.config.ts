import { defineConfig } from 'vitest/config'

/** The browser tests: each file has a browser and a server of its own, and two files run at a time. */
export default defineConfig({
  test: {
    include: ['e2e/specs/**/*.test.ts'],
    globalSetup: ['e2e/harness/setup.ts'],
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    retry: 0,
    reporters: ['verbose'],
    // Only to end what would hang: nothing is asserted of times.
    testTimeout: 600_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 30_000 } },
  },
})
