/// <reference types="vitest/config" />
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { licences } from './build/licences.ts'
import { release } from './build/release.ts'

/*
 * What the server does with dist/:
 * - `/app/assets/*` are named by their content: immutable for a year. Every other file: no-cache.
 * - Any other GET below `/app/` that accepts text/html is index.html, no-store, in which it replaces
 *   - `__CSP_NONCE__` by the nonce of this answer's Content-Security-Policy,
 *   - `="/app/` by `="{base path}/app/`, and `<meta name="sidereal-base" content="">` by the base path, if
 *     the public URL has one. Scripts and styles find each other by relative URLs.
 * - `.vite/manifest.json` says which files a route needs; it is not served.
 * In development it passes `/app/` and the websocket of hot reload on to this server (port 5173), and replaces
 * the same in answers of text/html. `npm run dev` alone passes the API on to SIDEREAL_SERVER instead.
 */
const server = process.env['SIDEREAL_SERVER'] ?? 'http://127.0.0.1:8080'
const api = { target: server, changeOrigin: true, headers: { origin: server } }

export default defineConfig({
  base: '/app/',
  plugins: [react(), licences(), release()],
  html: { cspNonce: '__CSP_NONCE__' },
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    manifest: true,
    // A data: URL of a script or a font would need a wider policy.
    assetsInlineLimit: 0,
  },
  experimental: {
    renderBuiltUrl: (_file, { hostType }) => (hostType === 'html' ? undefined : { relative: true }),
  },
  server: {
    host: '127.0.0.1',
    port: 5173,
    strictPort: true,
    proxy: Object.fromEntries(
      ['/api', '/account', '/share', '/docs', '/openapi.json', '/readyz'].map((path) => [path, api]),
    ),
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    restoreMocks: true,
  },
})
