import { Link } from '@tanstack/react-router'
import { useTitle } from '@/shared/ui/Page'
import { Notice } from '@/shared/ui/States'

export function NotFound() {
  useTitle('Not found')
  return (
    <Notice icon="search" title="There is no such page">
      <p>The address may be mistyped, or the page may have moved.</p>
      <p>
        <Link to="/">Go home</Link> or <Link to="/jobs">to your jobs</Link>.
      </p>
    </Notice>
  )
}
