import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Fragment, type ReactNode } from 'react'
import { servicesQuery } from '@/shared/api/me'
import { phaseNames, phases } from '@/shared/api/phases'
import { basePath, serverUrl } from '@/shared/config'
import { shortcutSheet } from '@/shared/lib/hotkeys'
import { CopyBlock } from '@/shared/ui/CopyBlock'
import { KeyList } from '@/shared/ui/KeyList'
import { Page } from '@/shared/ui/Page'
import { PhaseChip } from '@/shared/ui/PhaseChip'
import cx from './help.module.css'

const chapters = [
  ['begin', 'How it works'],
  ['list', 'Lists of positions'],
  ['phases', 'Phases of a job'],
  ['addresses', 'Addresses of pages'],
  ['api', 'For programs'],
  ['keys', 'Keys'],
  ['licences', 'Licences'],
] as const

export function HelpPage() {
  return (
    <Page title="Help">
      <div className={cx['columns']}>
        <nav className={cx['contents']} aria-label="Chapters">
          <ul>
            {chapters.map(([id, title]) => (
              <li key={id}>
                <Link to="/help" hash={id}>
                  {title}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <article className={cx['text']}>
          <Begin />
          <Lists />
          <Phases />
          <Addresses />
          <Programs />
          <Keys />
          <Licences />
        </article>
      </div>
    </Page>
  )
}

function Chapter({ id, children }: { id: (typeof chapters)[number][0]; children: ReactNode }) {
  return (
    <section id={id} className={cx['chapter']}>
      <h2>{chapters.find(([one]) => one === id)?.[1]}</h2>
      {children}
    </section>
  )
}

function Begin() {
  return (
    <Chapter id="begin">
      <p>
        A <em>job</em> is one request: a list of positions, and what to cut at each.{' '}
        <Link to="/cutout">Make one</Link>, and its page shows how it goes. When it has ended, its page has
        the files, a picture of each, and a manifest with a row for each position on each image.
      </p>
      <p>
        A position on no image does not fail the job: its row says so. A list with a row that cannot be read
        is refused as a whole, so that nothing is lost without a word.
      </p>
      <p>
        Jobs are kept for some weeks, then destroyed with their results. The page of a job says until when,
        and can keep it longer.
      </p>
      <p>
        To show a job to somebody else, make a link to it under <em>Sharing</em> on its page. Whoever opens it
        sees the job without signing in: how it goes, what it was asked for, its pictures, and its files to
        download. They cannot change anything. The link ends when you said it would, when you take it back, or
        with the job.
      </p>
    </Chapter>
  )
}

function Lists() {
  return (
    <Chapter id="list">
      <p>
        One position a line, ICRS. The form reads commas, tabs, semicolons or spaces, with a header or
        without, and shows how it has read each row. Programs send CSV with this header, of which RA and DEC
        are needed:
      </p>
      <CopyBlock
        label="An example of a list"
        text={
          'RA,DEC,OBJID,XSIZE,YSIZE,BANDS\n250.4226,36.4602,M13,2,2,\n00:42:44.3,+41:16:09,M31,10,5,90GHz'
        }
      />
      <dl className={cx['terms']}>
        <dt>RA, DEC</dt>
        <dd>
          Degrees (0 to 360, −90 to 90), or sexagesimal with RA in hours: <code>16:41:41.4</code>,{' '}
          <code>16h41m41.4s</code>.
        </dd>
        <dt>OBJID</dt>
        <dd>A name of yours; the files are named after it.</dd>
        <dt>XSIZE, YSIZE</dt>
        <dd>Width and height in arcmin; without them SIZE is taken.</dd>
        <dt>BANDS</dt>
        <dd>Bands to cut of this row; without them those of the job.</dd>
      </dl>
    </Chapter>
  )
}

function Phases() {
  return (
    <Chapter id="phases">
      <dl className={cx['terms']}>
        {phaseNames.map((name) => (
          <Fragment key={name}>
            <dt>
              <PhaseChip phase={name} />
            </dt>
            <dd>
              {phases[name].meaning}. UWS calls it <code>{name}</code>.
            </dd>
          </Fragment>
        ))}
      </dl>
      <p>
        A completed job some of whose rows have no file says so: <PhaseChip phase="COMPLETED" failed={16} />.
        Its page tells which, and why.
      </p>
    </Chapter>
  )
}

const addresses = [
  [
    '/app/cutout',
    'A new job. ?service=NAME, ?from=JOB (begin with what a job asked for), &failed=true (only what failed)',
  ],
  [
    '/app/jobs',
    'Jobs. ?q=, ?phase= and ?service= (repeat them for several), ?after= and ?before= (ISO 8601)',
  ],
  [
    '/app/jobs/JOB',
    'A job. ?tab=files, log, request or shares; ?row=N (a row of the manifest), ?show=failed, ?find=',
  ],
  ['/app/jobs/JOB?tab=log&line=N', 'A line of its log'],
  [
    '/app/jobs/JOB/objects/ROW',
    'A position of a job: all its cutouts, its light curve. ?at=N (which cutout)',
  ],
  ['/app/jobs/compare?a=JOB&b=JOB', 'Two jobs beside each other'],
  [
    '/app/viewer?src=ADDRESS',
    'A FITS result of a job on this server. ?hdu=, ?plane=, ?stretch=linear, sqrt, log or asinh, ?map=grey, viridis, magma, inferno, cubehelix or rdbu_r, ?cuts=99%, zscale, minmax, symmetric or LOW,HIGH (of this HDU; ?others=0:zscale;2:0,255 of others, for when they are looked at), ?invert=true',
  ],
  ['/share/SECRET', 'A job for somebody else, as a link of the page of the job gives it.'],
  ['/app/profile', 'Tokens, quotas, theme'],
] as const

function Addresses() {
  return (
    <Chapter id="addresses">
      <p>What a page shows is in its address: it can be kept, sent and gone back to.</p>
      <dl className={cx['terms']}>
        {addresses.map(([address, meaning]) => (
          <Fragment key={address}>
            <dt>
              <code>{address}</code>
            </dt>
            <dd>{meaning}</dd>
          </Fragment>
        ))}
      </dl>
    </Chapter>
  )
}

function Programs() {
  const { data } = useQuery(servicesQuery)
  return (
    <Chapter id="api">
      <p>
        The services follow IVOA’s standards (UWS 1.1, SODA, SIA 2.0, DataLink), so that TOPCAT, pyvo,
        astroquery and others can talk to them. The form shows each job as curl, Python and command line.
        Signed in, programs need a{' '}
        <Link to="/profile" hash="tokens">
          token
        </Link>
        .
      </p>
      <ul>
        {data?.services.map(({ name, title }) => (
          <li key={name}>
            {title}: <code>{serverUrl(`/api/${name}/async`)}</code>
          </li>
        ))}
        <li>
          <a href={`${basePath}/docs`}>All addresses</a>, as <a href={`${basePath}/openapi.json`}>OpenAPI</a>
        </li>
        <li>
          Images by SIA: <code>{serverUrl('/api/cutout/query')}</code>
        </li>
      </ul>
    </Chapter>
  )
}

function Keys() {
  return (
    <Chapter id="keys">
      <p>
        Keys of one letter can be turned off in the <Link to="/profile">profile</Link>.
      </p>
      {shortcutSheet.map(({ where, keys }) => (
        <Fragment key={where}>
          <h3>{where}</h3>
          <KeyList keys={keys} className={cx['terms']} />
        </Fragment>
      ))}
    </Chapter>
  )
}

function Licences() {
  return (
    <Chapter id="licences">
      <p>
        Sidereal is free software under the MIT and Apache 2.0 licences, as you choose.{' '}
        <a href={`${basePath}/app/licences.txt`}>The licences of what these pages are made of</a>.
      </p>
      <p>
        The viewer can load{' '}
        <a href="https://www.npmjs.com/package/aladin-lite/v/3.8.2" rel="noreferrer">
          Aladin Lite 3.8.2
        </a>{' '}
        (© Université de Strasbourg/CNRS), a file of its own unchanged, which another version of it can
        replace. It is free software under the{' '}
        <a href={`${basePath}/app/aladin-lite-licence.txt`}>GNU Lesser General Public License, version 3</a>;{' '}
        <a href="https://github.com/cds-astro/aladin-lite" rel="noreferrer">
          its source
        </a>
        .
      </p>
    </Chapter>
  )
}
