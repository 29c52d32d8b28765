import { Link } from '@tanstack/react-router'
import type { Column } from '@/shared/ui/DataGrid'
import { Moment } from '@/shared/ui/Time'
import type { ProductName } from './api'
import type { Edition } from './documents'
import { Author, Badge, Outside, Refs } from './parts'
import cx from './dashboards.module.css'

export const editionColumns = (params: ProductName): Column<Edition>[] => [
  {
    id: 'edition',
    header: 'Edition',
    width: 'minmax(180px, 2fr)',
    cell: (edition) => <Name edition={edition} />,
  },
  {
    id: 'updated',
    named: true,
    header: 'Rebuilt',
    width: '206px',
    cell: ({ date_rebuilt: at }) =>
      at == null ? <span className={cx['sub']}>never</span> : <Moment at={at} />,
  },
  {
    id: 'refs',
    header: 'Git refs',
    width: 'minmax(120px, 1.6fr)',
    cell: ({ refs, mode }) =>
      refs.length > 0 ? <Refs refs={refs} /> : <span className={cx['sub']}>{mode ?? ''}</span>,
  },
  { id: 'ticket', header: 'Ticket', width: '100px', cell: ({ ticket }) => ticket ?? '' },
  {
    id: 'build',
    named: true,
    header: 'Build',
    width: '90px',
    cell: ({ build }) =>
      build == null ? (
        <span className={cx['sub']}>none</span>
      ) : (
        <Link to="/dashboards/docs/$keeper/$product/builds" params={params} search={{ build }}>
          {build}
        </Link>
      ),
  },
  {
    id: 'author',
    header: 'By',
    width: 'minmax(80px, 130px)',
    cell: ({ author }) => <Author name={author} />,
  },
]

function Name({ edition }: { edition: Edition }) {
  const { slug, title, url, pre_release: isPreRelease, rebuilding, built } = edition
  return (
    <span className={cx['product']}>
      <span className={cx['name']}>
        <Outside to={url}>{slug}</Outside>
      </span>
      {title != null && (
        <span className={cx['sub']}>
          <bdi>{title}</bdi>
        </span>
      )}
      <span className={cx['badges']}>
        {isPreRelease && <Badge>pre-release</Badge>}
        {rebuilding && <Badge icon="refresh">rebuilding</Badge>}
        {!built && <Badge icon="clock">not built yet</Badge>}
      </span>
    </span>
  )
}
