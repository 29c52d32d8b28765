//! Lists as text: values with commas, semicolons, bars, tabs or blanks between them, below a header.

use csv::{ReaderBuilder, Trim};

use super::{
    MAX_COLUMNS, Reading,
    columns::{Columns, Heading},
};

/// What may stand between values, in the order in which it is tried: blanks may stand beside each of the others.
const DELIMITERS: [char; 5] = [',', ';', '|', '\t', ' '];

/// Reads it: CSV (RFC 4180), the same with another delimiter, which is the one by which the header has a position, TSV of
/// `VizieR` (units and a rule below the header), or ECSV. Lines that begin with `#` are comments; the last above the rows
/// is the header if nothing else is.
pub fn read(text: &str, most: usize) -> Result<Reading, Vec<String>> {
    let one = |fault: String| vec![fault];
    let top = Top::of(text);
    let (mut headings, delimiter, mut rest) = top.header().map_err(one)?;
    if let Some((units, below)) = units(rest, delimiter) {
        let units = cells(units, delimiter).map_err(one)?;
        for (heading, unit) in headings.iter_mut().zip(units) {
            heading.set_unit(&unit);
        }
        rest = below;
    }
    for (name, unit) in top.units() {
        for heading in headings.iter_mut().filter(|heading| heading.name == name) {
            heading.set_unit(unit);
        }
    }
    let text = normal(rest, delimiter).map_err(one)?;
    let mut reading = Reading::new(&headings, most).map_err(one)?;
    let named = headings.iter().rposition(|heading| !heading.name.is_empty());
    let named = named.map_or(0, |last| last + 1);
    for record in reader(&text, delimiter).records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                reading.refuse(&[error.to_string()])?;
                continue;
            }
        };
        let mut values: Vec<&str> = record.iter().collect();
        // Spreadsheets fill up lines, and add some.
        while values.len() > headings.len() && values.last().is_some_and(|value| value.is_empty()) {
            values.pop();
        }
        if values.len() >= named && values.len() < headings.len() {
            values.resize(headings.len(), "");
        }
        if values.iter().any(|value| !value.is_empty()) {
            reading.add(&values)?;
        }
    }
    Ok(reading)
}

/// What stands above the rows.
struct Top<'a> {
    comments: Vec<&'a str>,
    /// What stands between values, if a line `sep=` says so.
    delimiter: Option<char>,
    /// The first line that is none of those, and what follows it.
    first: &'a str,
    below: &'a str,
    /// Both.
    all: &'a str,
}

impl<'a> Top<'a> {
    fn of(text: &'a str) -> Top<'a> {
        let mut top = Top {
            comments: Vec::new(),
            delimiter: None,
            first: "",
            below: "",
            all: "",
        };
        let mut rest = text;
        while !rest.is_empty() {
            let (line, below) = split_line(rest);
            if let Some(comment) = line.trim().strip_prefix('#') {
                top.comments.push(comment);
            } else if let Some(delimiter) = separator(line) {
                top.delimiter = Some(delimiter);
            } else if !line.trim().is_empty() {
                return Top {
                    first: line,
                    below,
                    all: rest,
                    ..top
                };
            }
            rest = below;
        }
        top
    }

    /// The header, the delimiter, and what follows.
    fn header(&self) -> Result<(Vec<Heading>, char, &'a str), String> {
        let delimiters = match &self.delimiter {
            Some(delimiter) => std::slice::from_ref(delimiter),
            None => &DELIMITERS,
        };
        let mut fault = None;
        let lines = [
            (Some(self.first), self.below),
            (self.comments.last().copied(), self.all),
        ];
        for (line, below) in lines {
            let Some(line) = line.filter(|line| !line.trim().is_empty()) else {
                continue;
            };
            for delimiter in delimiters {
                let headings = headings(line, *delimiter);
                match headings.and_then(|headings| Columns::of(&headings).map(|_| headings)) {
                    Ok(headings) => return Ok((headings, *delimiter, below)),
                    // What is between no values is not what was meant.
                    Err(other) if line.contains(*delimiter) => drop(fault.get_or_insert(other)),
                    Err(_) => {}
                }
            }
        }
        if self.first.is_empty() {
            return Err("is empty: expected a header RA,DEC and a row for each position".into());
        }
        if self
            .first
            .starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        {
            return Err(
                "has no column RA, as its first line is no header: expected one above the positions that says what each \
                 column is, such as RA,DEC,OBJID"
                    .into(),
            );
        }
        Err(match fault {
            Some(fault) => fault,
            None => Columns::of(&headings(self.first, delimiters[0])?)
                .err()
                .unwrap_or_default(),
        })
    }

    /// Names and units of columns, if the comments are those of ECSV (a YAML document).
    fn units(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_ecsv = self
            .comments
            .first()
            .is_some_and(|first| first.trim().starts_with("%ECSV"));
        let lines = if is_ecsv { &self.comments[..] } else { &[] };
        let (mut name, mut is_of_columns) = ("", false);
        lines.iter().filter_map(move |line| {
            // A key of the document itself.
            if line
                .strip_prefix(' ')
                .is_some_and(|line| line.starts_with(char::is_alphabetic))
            {
                is_of_columns = line.trim().starts_with("datatype:");
            }
            name = entry(line, "name").unwrap_or(name);
            entry(line, "unit")
                .filter(|_| is_of_columns)
                .map(|unit| (name, unit))
        })
    }
}

/// What a line of YAML has by a key.
fn entry<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = line;
    loop {
        let at = rest.find(key)?;
        let begins = rest[..at].ends_with([' ', '{']);
        rest = &rest[at + key.len()..];
        if let Some(value) = rest.strip_prefix(':')
            && begins
            && !value.trim_start().starts_with('!')
        {
            let value = value.trim_start();
            let end = match value.chars().next() {
                Some(quote @ ('\'' | '"')) => return value[1..].split(quote).next(),
                _ => value.find([',', '}']).unwrap_or(value.len()),
            };
            return Some(value[..end].trim());
        }
    }
}

/// The first line, and what follows it.
fn split_line(text: &str) -> (&str, &str) {
    let end = text.find(['\n', '\r']).unwrap_or(text.len());
    let (line, rest) = text.split_at(end);
    let rest = rest.strip_prefix("\r\n").or_else(|| rest.get(1..)).unwrap_or("");
    (line, rest)
}

/// What a line `sep=;`, as spreadsheets write it, says.
fn separator(line: &str) -> Option<char> {
    let (key, value) = line.split_once('=')?;
    let mut value = value.trim_matches([' ', '"']).chars();
    let delimiter = value.next().filter(char::is_ascii)?;
    let is_alone = value.all(|more| more == ',' || more == ';');
    (is_alone && key.trim_matches([' ', '"']).eq_ignore_ascii_case("sep")).then_some(delimiter)
}

/// The line of units below the header (empty if there is none), if there is a rule of dashes below it; and what follows.
fn units(text: &str, delimiter: char) -> Option<(&str, &str)> {
    let is_rule = |line: &str| {
        line.contains('-')
            && line
                .chars()
                .all(|c| c == delimiter || matches!(c, '-' | '+' | ' ' | '|' | '='))
    };
    let mut rest = text;
    let mut above = None;
    while !rest.is_empty() {
        let (line, below) = split_line(rest);
        rest = below;
        match above {
            _ if is_rule(line) => return Some((above.unwrap_or(""), below)),
            // A line of units may have none.
            _ if line.is_empty() || line.trim_start().starts_with('#') => {}
            None => above = Some(line),
            Some(_) => return None,
        }
    }
    None
}

fn headings(line: &str, delimiter: char) -> Result<Vec<Heading>, String> {
    Ok(cells(line, delimiter)?
        .iter()
        .map(|name| Heading::named(name))
        .collect())
}

/// The values of a line.
fn cells(line: &str, delimiter: char) -> Result<Vec<String>, String> {
    let text = normal(line, delimiter)?;
    match reader(&text, delimiter).records().next() {
        None => Ok(Vec::new()),
        Some(Ok(record)) => Ok(record.iter().map(str::to_owned).collect()),
        Some(Err(error)) => Err(format!("cannot be read as CSV: {error}")),
    }
}

fn reader(text: &str, delimiter: char) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .delimiter(u8::try_from(delimiter).unwrap_or(b','))
        .trim(Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes())
}

/// Leaves out comments and the spaces before values, which would keep CSV from seeing a quote; of spaces that are the
/// delimiter one is left between values. An error if there are more values on a line than any list has.
fn normal(text: &str, delimiter: char) -> Result<String, String> {
    let is_space = |c: char| c == ' ' || (c == '\t' && delimiter != '\t');
    let mut out = String::with_capacity(text.len());
    // Where the next character is: at the start of a line, of a value, in quotes, in a comment.
    let (mut in_margin, mut at_start, mut quoted, mut in_comment) = (true, true, false, false);
    // Whether a quote has just ended, unless the next character doubles it.
    let mut closed = false;
    // Whether spaces came that are a delimiter if a value follows.
    let mut apart = false;
    let mut values = 1;
    for c in text.chars() {
        let doubled = std::mem::take(&mut closed);
        let ends_line = matches!(c, '\n' | '\r') && !quoted;
        if ends_line {
            (in_margin, at_start, in_comment, apart) = (true, true, false, false);
            values = 1;
            out.push(c);
            continue;
        }
        if in_comment || (at_start && is_space(c)) {
            continue;
        }
        if in_margin && c == '#' {
            in_comment = true;
            continue;
        }
        if delimiter == ' ' && is_space(c) && !quoted {
            (apart, at_start) = (true, true);
            continue;
        }
        if std::mem::take(&mut apart) {
            values += 1;
            out.push(delimiter);
        }
        in_margin = false;
        if c == '"' && (at_start || quoted || doubled) {
            closed = quoted;
            quoted = !quoted;
        }
        let ends_value = c == delimiter && !quoted;
        values += usize::from(ends_value);
        if values > MAX_COLUMNS {
            return Err(format!("has a line of more than {MAX_COLUMNS} values"));
        }
        at_start = ends_value;
        out.push(c);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::List;

    fn read(text: &str) -> Result<List, String> {
        let read = List::read(text.as_bytes(), "text/plain", 10);
        read.map_err(|faults| faults[0].message.clone())
    }

    #[test]
    fn the_header_tells_what_stands_between_values() {
        for text in [
            "RA,DEC,OBJID\n250.5,-36.5,M 13\n",
            "RA;DEC;OBJID\n250.5;-36.5;M 13\n",
            "RA\tDEC\tOBJID\n250.5\t-36.5\tM 13\n",
            "RA|DEC|OBJID\n250.5|-36.5|M 13\n",
            " ra   dec objid\n  250.5\t-36.5 \"M 13\"  \n\n",
            "sep=;\r\nRA;DEC;OBJID\r\n250.5;-36.5;M 13\r\n",
            "# mine, of 2020\n# RA and DEC\nRA,DEC,OBJID\n# the only one\n250.5,-36.5,M 13\n#1,2,3\n",
            "# RA DEC OBJID\n250.5 -36.5 'M_13'\n"
                .replace("'M_13'", "\"M 13\"")
                .as_str(),
            "RA,DEC,OBJID,,\n250.5,-36.5,M 13,,\n,,,,\n,\n",
            "RA,DEC,OBJID\n250.5,-36.5,M 13,,,\n,,\n",
            "OBJID , RA (J2000), Dec [deg]\rM 13,16:42:00,-36.5\r",
            // VizieR's, with units and a rule.
            "#\n#Column\tRAJ2000\n_RAJ2000\t_DEJ2000\tRAJ2000\tDEJ2000\tName\n\
             deg\tdeg\t\"h:m:s\"\t\"d:m:s\"\t \n----------\t----------\t--------\t--------\t-\n\
             250.5\t-36.5\t16 42 00\t-36 30 00\tM 13\n",
            // psql's.
            "  ra   |  dec  | name\n-------+-------+------\n 250.5 | -36.5 | M 13\n",
            "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, unit: deg, datatype: float64}\n\
             # - {name: dec, unit: deg, datatype: float64}\n# - {name: id, datatype: string}\n# - name: size\n\
             #   unit: kpc\n# meta: {name: ra, unit: h}\n# schema: astropy-2.0\nra dec id size\n250.5 -36.5 \"M 13\" 3.0\n",
        ] {
            let list = read(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
            assert_eq!(list.rows.len(), 1, "{text:?}");
            let row = &list.rows[0];
            let at = row.shape.centre().unwrap();
            assert!(
                (at.ra - 250.5).abs() < 1e-9 && (at.dec + 36.5).abs() < 1e-9,
                "{text:?}: {at:?}"
            );
            assert_eq!((row.id.as_deref(), row.size), (Some("M 13"), None), "{text:?}");
            assert!(list.unused.iter().all(|name| !name.is_empty()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_list_is_told_what_it_lacks() {
        for (text, expected) in [
            ("250.5,36.5\n", "expected one above the positions"),
            ("-1 2\n", "expected one above the positions"),
            ("# a list\n250.5;36.5\n", "expected one above the positions"),
            ("# only this\n", "is empty"),
            ("sep=;\nRA,DEC\n1,2\n", "no column RA"),
            ("name;flux\nx;1\n", "found \"name\", \"flux\""),
            ("ra_b1950 dec_b1950\n1 2\n", "no column RA"),
            ("RA (rad),DEC\n1,2\n", "expected deg"),
            ("RA (B1950),DEC\n1,2\n", "b1950"),
            ("RA,DEC\n1,2,3\n", "3 values, expected 2"),
            ("ra dec\n16 41 41 36 27 37\n", "6 values, expected 2"),
            ("ra\tdec\nh\tdeg\n--\t---\n1\t2\n", "column ra is in \"h\""),
        ] {
            let fault = read(text).expect_err(text);
            assert!(fault.contains(expected), "{text:?}: {fault}");
        }
    }
}
