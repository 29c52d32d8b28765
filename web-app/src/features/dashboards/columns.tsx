import { Link } from '@tanstack/react-router'
import { count } from '@/shared/lib/format'
import type { Column } from '@/shared/ui/DataGrid'
import { Ago, useNow } from '@/shared/ui/Time'
import type { Dashboard } from './api'
import { unchecked } from './words'
import { Badge, Flags } from './parts'
import cx from './dashboards.module.css'

/** By what the page of all dashboards can be ordered. */
export type OrderName = 'title' | 'latest' | 'published' | 'checked' | 'editions' | 'builds'

const at = (time: string | null | undefined) => (time == null ? 0 : Date.parse(time))

/** `several`: there is more than one Keeper to tell apart. */
export function dashboardColumns(several: boolean): (Column<Dashboard> & { id: OrderName })[] {
  return [
    {
      id: 'title',
      header: 'Product',
      width: 'minmax(200px, 3fr)',
      cell: (dashboard) => <Product dashboard={dashboard} several={several} />,
      sort: ({ title, product }) => (title === '' ? product : title).toLowerCase(),
    },
    {
      id: 'latest',
      named: true,
      header: 'Latest edition',
      width: '130px',
      cell: ({ latest }) => (latest == null ? 'none yet' : <Ago at={latest} />),
      sort: ({ latest }) => at(latest),
    },
    {
      id: 'published',
      named: true,
      header: 'Published',
      width: '130px',
      cell: ({ published }) => (published == null ? 'never' : <Ago at={published} />),
      sort: ({ published }) => at(published),
    },
    {
      id: 'checked',
      named: true,
      header: 'Checked',
      width: '130px',
      cell: ({ checked }) => (checked == null ? 'never' : <Ago at={checked} />),
      sort: ({ checked }) => at(checked),
    },
    {
      id: 'editions',
      named: true,
      header: 'Editions',
      width: '84px',
      end: true,
      cell: ({ editions }) => count(editions),
      sort: ({ editions }) => editions,
    },
    {
      id: 'builds',
      named: true,
      header: 'Builds',
      width: '84px',
      end: true,
      cell: ({ builds }) => count(builds),
      sort: ({ builds }) => builds,
    },
  ]
}

function Product({ dashboard, several }: { dashboard: Dashboard; several: boolean }) {
  const { keeper, product, title, checked } = dashboard
  const old = unchecked(checked, useNow())
  return (
    <span className={cx['product']}>
      <Link to="/dashboards/docs/$keeper/$product" params={{ keeper, product }} className={cx['name']}>
        <bdi>{title === '' ? product : title}</bdi>
      </Link>
      <span className={cx['sub']}>
        {product}
        {several && ` of ${keeper}`}
      </span>
      <span className={cx['badges']}>
        <Flags dashboard={dashboard} />
        {old !== undefined && (
          <Badge tone="warn" icon="clock">
            {old}
          </Badge>
        )}
      </span>
    </span>
  )
}
