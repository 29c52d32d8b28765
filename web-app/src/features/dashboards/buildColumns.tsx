import { Link } from '@tanstack/react-router'
import type { Column } from '@/shared/ui/DataGrid'
import { Moment } from '@/shared/ui/Time'
import type { ProductName } from './api'
import type { Build } from './documents'
import { Author, Badge, Outside, Refs } from './parts'
import cx from './dashboards.module.css'

export const buildColumns = (params: ProductName): Column<Build>[] => [
  {
    id: 'build',
    header: 'Build',
    width: 'minmax(110px, 1fr)',
    cell: ({ slug, url, uploaded }) => (
      <span className={cx['badges']}>
        <span className={cx['name']}>
          <Outside to={url}>{slug}</Outside>
        </span>
        {!uploaded && <Badge icon="clock">not uploaded</Badge>}
      </span>
    ),
  },
  {
    id: 'made',
    named: true,
    header: 'Made',
    width: '206px',
    cell: ({ date_created: at }) => <Moment at={at} />,
  },
  { id: 'refs', header: 'Git refs', width: 'minmax(120px, 2fr)', cell: ({ refs }) => <Refs refs={refs} /> },
  { id: 'ticket', header: 'Ticket', width: '100px', cell: ({ ticket }) => ticket ?? '' },
  {
    id: 'author',
    header: 'By',
    width: 'minmax(80px, 130px)',
    cell: ({ author }) => <Author name={author} />,
  },
  {
    id: 'editions',
    named: true,
    header: 'Shown as',
    width: 'minmax(120px, 1.5fr)',
    cell: ({ editions }) =>
      editions.length === 0 ? (
        <span className={cx['sub']}>no edition</span>
      ) : (
        <span className={cx['refs']}>
          {editions.map((edition) => (
            <Link
              key={edition}
              to="/dashboards/docs/$keeper/$product"
              params={params}
              search={{ q: edition }}
            >
              {edition}
            </Link>
          ))}
        </span>
      ),
  },
]
