import { describe, expect, it } from 'vitest'
import { parseList, toCsv } from './positions'
import { bigEndian } from './testing'

const votable = (fields: string, rows: string) =>
  `<?xml version="1.0"?><!-- <TABLE> --><VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>
<TABLE name="t">${fields}<DATA><TABLEDATA>${rows}</TABLEDATA></DATA></TABLE>
<TABLE><FIELD name="x"/><DATA><TABLEDATA><TR><TD>9</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>`

describe('a VOTable', () => {
  it('is read by names or by UCDs, with its entities, empty cells and units', () => {
    const list = parseList(
      votable(
        `<FIELD name="_2MASS" ucd="meta.id;meta.main" datatype="char"/>
         <FIELD name='alpha' ucd='POS.EQ.RA;meta.main' unit='deg' datatype='double'><DESCRIPTION>x</DESCRIPTION></FIELD>
         <FIELD name="delta" ucd="pos.eq.dec;meta.main" unit="deg"/><FIELD name="size" unit="arcsec"/><FIELD name="mag"/>`,
        `<TR><TD>A &amp; B&#32;&lt;1&gt;</TD><TD> 250.4226 </TD><TD>36.46</TD><TD>30</TD><TD/></TR>
         <TR><TD><![CDATA[C<D]]></TD><TD>10</TD><TD>95</TD><TD></TD><TD>7</TD></TR>`,
      ),
    )
    expect(list).toMatchObject({ form: 'votable', unused: ['mag'], problems: 1 })
    expect(list.rows[0]).toEqual({
      line: 1,
      ra: 250.4226,
      dec: 36.46,
      cells: { OBJID: 'A & B <1>', RA: '250.4226', DEC: '36.46', XSIZE: '30arcsec' },
    })
    expect(list.rows[1]).toMatchObject({ line: 2, cells: { OBJID: 'C<D' } })
    expect(toCsv(list.rows.slice(0, 1))).toBe('RA,DEC,OBJID,XSIZE\n250.4226,36.46,A & B <1>,30arcsec\n')
  })

  it.each([
    ['<FIELD name="ra"/><FIELD name="flux"/>', 'There is no column Dec.'],
    [
      '<FIELD name="ra" unit="rad"/><FIELD name="dec" unit="rad"/>',
      'The column ra is in rad: degrees are wanted.',
    ],
  ])('says why %s is no list', (fields, fault) =>
    expect(parseList(votable(fields, '<TR><TD>1</TD><TD>2</TD></TR>'))).toMatchObject({ rows: [], fault }),
  )

  it('has no number where there is NaN', () => {
    const fields = '<FIELD name="ra"/><FIELD name="dec"/><FIELD name="size" unit="arcsec" datatype="float"/>'
    const list = parseList(votable(fields, '<TR><TD>1</TD><TD>2</TD><TD>NaN</TD></TR>'))
    expect(list).toMatchObject({ problems: 0, rows: [{ cells: { RA: '1', DEC: '2' } }] })
  })
})

describe('binary rows of a VOTable', () => {
  const fields = `<FIELD name="flag" datatype="bit" arraysize="9"/>
    <FIELD name="note" datatype="unicodeChar" arraysize="*"/>
    <FIELD name="ra" datatype="double"/><FIELD name="dec" datatype="float"/>
    <FIELD name="objid" datatype="char" arraysize="4"/>
    <FIELD name="bands" datatype="unicodeChar" arraysize="10*"/>
    <FIELD name="size" unit="arcsec" datatype="short"/><FIELD name="z" datatype="doubleComplex" arraysize="2x2"/>`
  const wide = (text: string) => Array.from(text, (letter) => [0, letter.charCodeAt(0)]).flat()
  const row = (ra: number, bands: string) => [
    ...[1, 128, 0, 0, 0, 1, 0, 65],
    ...bigEndian(-64, [ra]),
    ...bigEndian(-32, [-0.1]),
    ...[77, 49, 51, 0],
    ...bigEndian(32, [bands.length]),
    ...wide(bands),
    ...bigEndian(16, [90]),
    ...new Uint8Array(64),
  ]
  const written = (
    form: string,
    columns: string,
    bytes: readonly number[],
    attributes = 'encoding="base64"',
  ) =>
    votable(columns, '').replace(
      '<TABLEDATA></TABLEDATA>',
      `<${form}><STREAM ${attributes}>\n${Buffer.from(bytes).toString('base64')}\n</STREAM></${form}>`,
    )

  it.each([
    ['BINARY', [...row(250.5, 'g r'), ...row(0.25, '')], '90arcsec'],
    // A row begins with which of its values are null: of the second the name and the size.
    ['BINARY2', [0, ...row(250.5, 'g r'), 0b0000_1010, ...row(0.25, '')], undefined],
  ])('are read as %s', (form, bytes, size) => {
    const list = parseList(written(form, fields, bytes))
    expect(list).toMatchObject({ form: 'votable', problems: 0, unused: ['flag', 'note', 'z'] })
    expect(list.rows.map(({ cells }) => cells)).toEqual([
      { RA: '250.5', DEC: '-0.1', OBJID: 'M13', BANDS: 'g r', XSIZE: '90arcsec' },
      { RA: '0.25', DEC: '-0.1', ...(size === undefined ? {} : { OBJID: 'M13', XSIZE: size }) },
    ])
  })

  it('may be many', () => {
    const bytes = Array.from({ length: 9_000 }, (_, index) => [...bigEndian(-64, [index / 100, 1.5])]).flat()
    const two = '<FIELD name="ra" datatype="double"/><FIELD name="dec" datatype="double"/>'
    const { rows, problems } = parseList(written('BINARY', two, bytes))
    expect([rows.length, problems, rows[8_999]?.ra]).toEqual([9_000, 0, 89.99])
  })

  const reals = '<FIELD name="ra" datatype="double"/><FIELD name="dec" datatype="double"/>'
  it.each([
    ['no base64', written('BINARY', reals, []).replace('\n\n', '\n%%%%\n'), 'no base64'],
    ['half a row', written('BINARY2', reals, [0, 1]), 'ends within row 1'],
    ['elsewhere', written('BINARY', reals, [], 'href="http://x/y"'), 'are elsewhere'],
    [
      'rows of nothing',
      written('BINARY', reals.replaceAll('/>', ' arraysize="0"/>'), [1]),
      'ends within row 1',
    ],
    ['an odd kind', written('BINARY', '<FIELD name="ra"/><FIELD name="dec"/>', [1]), 'datatype none'],
    ['rows of arrays', written('BINARY', reals.replace('/>', ' arraysize="2x*"/>'), [1]), 'arraysize 2x*'],
    ['below zero', written('BINARY', reals.replace('/>', ' arraysize="*"/>'), [255, 255, 255, 255]), 'row 1'],
    ['FITS', votable(reals, '').replace('<TABLEDATA></TABLEDATA>', '<FITS></FITS>'), 'are FITS'],
    ['no table', '<html><p>no</p></html>', 'This is no VOTable with a table.'],
  ])('that are %s: the fault is named', (_name, text, fault) => {
    expect(parseList(text)).toMatchObject({ rows: [], fault: expect.stringContaining(fault) as string })
  })
})

describe('JSON', () => {
  it('is read as objects, also with names that differ, and as columns', () => {
    const objects = parseList(
      '[{"ra": 250.4226, "dec": 36.46, "id": "M13"}, {"dec": -1, "ra": "00:42:44.3"}, 7]',
    )
    expect(objects.rows.map(({ ra, dec, cells }) => [ra, dec, cells.OBJID])).toEqual([
      [250.4226, 36.46, 'M13'],
      [expect.closeTo(10.6846, 3), -1, undefined],
      [undefined, undefined, undefined],
    ])
    expect(objects.problems).toBe(1)
    expect(parseList('{"columns": ["RA", "DEC", "BANDS"], "rows": [[1, 2, ["a", "b"]]]}').rows[0]).toEqual({
      line: 1,
      ra: 1,
      dec: 2,
      cells: { RA: '1', DEC: '2', BANDS: 'a;b' },
    })
  })

  it.each(['[', '{"rows": []}', '{"ra": 1, "dec": 2}'])('that is none is told: %s', (text) =>
    expect(parseList(text).fault).toBeTypeOf('string'),
  )
})

describe('coordinate systems', () => {
  const rows = '<TR><TD>249.9757</TD><TD>36.5545</TD></TR>'
  const fields = (ref: string) => `<FIELD name="ra" ${ref}/><FIELD name="dec" ${ref}/>`
  const within = (systems: string, ref: string) =>
    parseList(votable(fields(ref), rows).replace('<TABLE name', `${systems}<TABLE name`))
  const fk4 = '<COOSYS ID="b" system="eq_FK4" equinox="B1950"/>'

  it('are never taken for ICRS', () => {
    for (const list of [
      within(fk4, 'ref="b"'),
      within(fk4, ''),
      within('<COOSYS ID="g" system="galactic"/>', 'ref="g"'),
      within('<COOSYS ID="f" system="FK5" equinox="J1975"/>', 'ref="f"'),
    ]) {
      expect(list.rows).toEqual([])
      expect(list.fault).toContain('does not turn to ICRS')
    }
    expect(within(fk4, 'ref="b"').fault).toContain('eq_FK4 B1950')
  })

  it('are those of groups too, and of one among several the column must say', () => {
    const ids = '<FIELD ID="a" name="ra"/><FIELD ID="d" name="dec"/>'
    const group = '<GROUP ref="i"><FIELDref ref="a"/><FIELDref ref="d"/></GROUP><GROUP/>'
    const all = (columns: string) =>
      parseList(
        votable(columns, rows).replace('<TABLE name', `${fk4}<COOSYS ID="i" system="ICRS"/><TABLE name`),
      )
    expect(all(ids + group)).toMatchObject({ problems: 0, rows: [{ ra: 249.9757 }] })
    expect(all(ids + group.replace('"i"', '"b"')).fault).toContain('eq_FK4 B1950')
    expect(all(ids).fault).toContain('no ref says which')
    expect(all(ids.replace('"ra"', '"_RAJ2000"').replace('"dec"', '"_DEJ2000"'))).toMatchObject({
      problems: 0,
    })
  })

  it('without ID are one only if they are the same, and of two with one ID the first counts', () => {
    const nameless = fk4.replace(' ID="b"', '')
    const icrs = '<COOSYS system="ICRS"/>'
    for (const systems of [nameless + icrs, icrs + nameless])
      expect(within(systems, '')).toMatchObject({
        rows: [],
        fault: expect.stringContaining('no ref says which') as string,
      })
    expect(within(nameless + nameless, '').fault).toContain('eq_FK4 B1950')
    expect(within(icrs + icrs, '')).toMatchObject({ problems: 0, rows: [{ ra: 249.9757 }] })
    expect(within(`${fk4}<COOSYS ID="b" system="ICRS"/>`, 'ref="b"').fault).toContain('eq_FK4 B1950')
  })

  it('that are ICRS are', () => {
    for (const list of [
      within('<COOSYS ID="i" system="ICRS"/>', 'ref="i"'),
      within(`${fk4}<COOSYS ID="f" system="eq_FK5" equinox="J2000"/>`, 'ref="f"'),
    ]) {
      expect(list).toMatchObject({ problems: 0, rows: [{ ra: 249.9757 }] })
    }
  })
})

it.each([
  [
    'a manifest',
    '{"job": "x", "rows": [{"row": 1, "id": "M13", "ra": 250.5, "dec": -36.5, "size": 9, "sha256": "a"}]}',
  ],
  [
    'VizieR',
    '#\n_RAJ2000\t_DEJ2000\tRAJ2000\tName\ndeg\tdeg\t"h:m:s"\t \n---\t---\t---\t-\n250.5\t-36.5\t1 2 3\tM13\n',
  ],
  ['a spreadsheet', 'sep=;\r\nRA;DEC;OBJID\r\n250.5;-36.5;M13\r\n;;\r\n;\r\n'],
  ['a header in a comment', '# mine\n# objid dec ra\nM13 -36.5 250.5\n'],
  ['units in the header', 'ID,RA (J2000),Dec [deg],size (kpc)\nM13,250.5,-36.5,3\n'],
  [
    'ECSV',
    '# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, unit: deg}\n# - {name: size, unit: kpc, datatype: float64}\nra dec name size\n250.5 -36.5 "M13" 3\n',
  ],
])('reads %s', (_, text) => {
  const { rows, fault } = parseList(text)
  expect(fault).toBeUndefined()
  expect(rows).toMatchObject([{ ra: 250.5, dec: -36.5, cells: { OBJID: 'M13' } }])
  expect(rows[0]?.cells.XSIZE).toBeUndefined()
})

it('takes sizes with units, as the server does', () => {
  const list = parseList(
    'RA,DEC,XSIZE,YSIZE\n1,2,2arcmin,30 arcsec\n1,3,256px,\n1,4,2,3\n1,5,"2,3",\n1,6,big,\n1,7,0,',
  )
  expect(list.rows.map(({ problem }) => problem === undefined)).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ])
  expect(list.rows[3]?.cells).toMatchObject({ XSIZE: '2', YSIZE: '3' })
})
