//! Many regions of a file cut in one walk over it: each row or tile is read once, decoded once, and pushed into every
//! region that it touches.
//!
//! Regions wait in the order in which the walk comes by them. They are admitted, each with memory for its pixels, as the
//! walk gets there, and handed out as soon as it has passed them. What a wave of tiles needs is fetched while the wave
//! before is decoded.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::future::poll_fn;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, TryStreamExt};
use rayon::prelude::*;

use super::area::{Edge, Region};
use super::cut::{Cut, Layout};
use super::error::FitsError;
use super::file::File;
use super::hdu::{Hdu, Kind};
use super::lines::Block;
use super::piece::{Faulty, Piece};
use super::source::{self, Filling, SourceError};
use super::tiled::{self, Work};
use super::tiles::Tiles;
use super::walk::{Grid, Walk};

/// Bytes of pixels in the first wave, so that the first regions are done soon, and in the largest.
const FIRST_WAVE: u64 = 1 << 20;
const LOCAL_WAVE: u64 = 16 << 20;
const REMOTE_WAVE: u64 = 64 << 20;
/// Tiles or rows of a wave.
const WAVE_TILES: usize = 16_384;
/// Bytes of plain regions of a local file that are read in one go, as long as there is another region; and goes at the
/// same time.
const READ_TOGETHER: u64 = 1 << 20;
const READERS: usize = 4;
/// Waves in a row that could not be fetched, after which the rest is given up.
const MOST_FAILURES: u32 = 2;

/// A walk over a file that cuts regions.
pub struct Sweep {
    file: File,
    edge: Edge,
    working: u64,
    grids: HashMap<usize, Arc<Grid>>,
    /// By where they begin.
    waiting: VecDeque<Order>,
    sorted: bool,
    /// Those for which there was no memory when the walk came by.
    later: Vec<Order>,
    walking: BinaryHeap<Reverse<Stop>>,
    pieces: HashMap<u64, Walking>,
    orders: HashMap<usize, Open>,
    next_piece: u64,
    wave: u64,
    fetching: Option<BoxFuture<'static, (Wave, Result<Fetched, FitsError>)>>,
    fetched: Option<(Wave, Fetched)>,
    decoding: Option<BoxFuture<'static, (Wave, Vec<Faulty>)>>,
    finished: Vec<Finished>,
    failures: u32,
    broken: Option<Arc<FitsError>>,
    cancelled: Cancelled,
}

/// Tells decoding threads to stop, at the latest when the sweep is dropped.
struct Cancelled(Arc<AtomicBool>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whether a region may begin, which takes memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Now.
    Yes,
    /// There will be memory in a moment: the walk rests.
    Wait,
    /// In another walk, since those that are under way hold all memory.
    Later,
}

/// How a sweep went on.
#[derive(Debug)]
pub enum Step {
    /// These are done.
    Finished(Vec<Finished>),
    /// Nothing goes on until the next region has so many bytes.
    NeedsMemory(u64),
    /// All are done.
    End,
}

/// What became of the regions that were added as one.
#[derive(Debug)]
pub struct Finished {
    /// As it was added.
    pub id: usize,
    /// One for each region, in the order given; or the first problem.
    pub cuts: Result<Vec<Cut>, Arc<FitsError>>,
}

/// Regions that belong together.
struct Order {
    id: usize,
    layouts: Vec<(usize, Layout)>,
    bytes: u64,
    first: (u64, usize, u64),
}

/// An order that was admitted.
struct Open {
    pieces: Vec<Arc<Piece>>,
    left: usize,
}

struct Walking {
    piece: Arc<Piece>,
    walk: Walk,
    grid: Arc<Grid>,
}

/// Where the walk meets a piece next: pixel along its axis, HDU, tile, piece.
type Stop = (u64, usize, u64, u64);

/// What is fetched and decoded together.
#[derive(Default)]
struct Wave {
    /// The tiles of each HDU and the pieces that they touch.
    tiles: BTreeMap<usize, BTreeMap<u64, Vec<Arc<Piece>>>>,
    /// Pieces that are read whole.
    whole: Vec<Arc<Piece>>,
    /// The pieces that it completes.
    ended: Vec<Arc<Piece>>,
}

#[derive(Default)]
struct Fetched {
    work: Vec<Work>,
    /// Rows of plain images: bytes, piece, where they belong.
    lines: Vec<(Bytes, Arc<Piece>, usize)>,
    faulty: Vec<Faulty>,
}

impl Sweep {
    /// A sweep over `file`. Tiles on their way may take `working` bytes beside the pixels of regions.
    pub fn new(file: File, edge: Edge, working: u64) -> Self {
        Self {
            file,
            edge,
            working,
            grids: HashMap::new(),
            waiting: VecDeque::new(),
            sorted: true,
            later: Vec::new(),
            walking: BinaryHeap::new(),
            pieces: HashMap::new(),
            orders: HashMap::new(),
            next_piece: 0,
            wave: FIRST_WAVE,
            fetching: None,
            fetched: None,
            decoding: None,
            finished: Vec::new(),
            failures: 0,
            broken: None,
            cancelled: Cancelled(Arc::new(AtomicBool::new(false))),
        }
    }

    /// Adds the regions of one result, at least one, each with its HDU. What is wrong with them shows when they are
    /// finished.
    pub fn add(&mut self, id: usize, regions: &[(usize, Region)]) {
        match self.order(id, regions) {
            Ok(order) => {
                self.waiting.push_back(order);
                self.sorted = false;
            }
            Err(error) => self.finished.push(Finished {
                id,
                cuts: Err(Arc::new(error)),
            }),
        }
    }

    /// Goes on until something is finished. `admit` is told the id and bytes of what begins. May be dropped and called
    /// again.
    pub async fn step(&mut self, admit: &mut (dyn FnMut(usize, u64) -> Admission + Send)) -> Step {
        loop {
            if !self.finished.is_empty() {
                return Step::Finished(std::mem::take(&mut self.finished));
            }
            if self.decoding.is_none()
                && let Some((wave, fetched)) = self.fetched.take()
            {
                self.decoding = Some(
                    decode(
                        self.file.clone(),
                        wave,
                        fetched,
                        self.working,
                        Arc::clone(&self.cancelled.0),
                    )
                    .boxed(),
                );
            }
            if self.fetching.is_none()
                && self.fetched.is_none()
                && let Some(wave) = self.next_wave(admit)
            {
                self.fetching = Some(fetch(self.file.clone(), wave, self.working).boxed());
            }
            if !self.finished.is_empty() {
                continue;
            }
            if self.fetching.is_none() && self.decoding.is_none() {
                return self
                    .waiting
                    .front()
                    .map_or(Step::End, |order| Step::NeedsMemory(order.bytes));
            }
            self.wait().await;
        }
    }

    /// Waits until a wave is fetched or decoded.
    async fn wait(&mut self) {
        enum Event {
            Fetched((Wave, Result<Fetched, FitsError>)),
            Decoded((Wave, Vec<Faulty>)),
        }
        let event = poll_fn(|context| {
            if let Some(decoding) = &mut self.decoding
                && let Poll::Ready(done) = decoding.poll_unpin(context)
            {
                self.decoding = None;
                return Poll::Ready(Event::Decoded(done));
            }
            if let Some(fetching) = &mut self.fetching
                && let Poll::Ready(done) = fetching.poll_unpin(context)
            {
                self.fetching = None;
                return Poll::Ready(Event::Fetched(done));
            }
            Poll::Pending
        });
        match event.await {
            Event::Fetched((wave, Ok(fetched))) => {
                self.failures = 0;
                self.fetched = Some((wave, fetched));
            }
            Event::Fetched((wave, Err(error))) => self.unfetched(&wave, error),
            Event::Decoded((wave, faulty)) => {
                for (piece, error) in faulty {
                    self.fail(piece.id, &error);
                }
                for piece in wave.ended {
                    self.end(&piece);
                }
            }
        }
    }

    /// A wave that could not be had: its pieces fail, and all others if there is no hope for them.
    fn unfetched(&mut self, wave: &Wave, error: FitsError) {
        self.failures += u32::from(matches!(error, FitsError::Source(_)));
        let gone = matches!(
            error,
            FitsError::Source(SourceError::NotFound | SourceError::Changed)
        );
        let error = Arc::new(error);
        let touched = wave.tiles.values().flat_map(BTreeMap::values).flatten();
        for piece in touched.chain(&wave.whole) {
            self.fail(piece.id, &error);
        }
        if gone || self.failures >= MOST_FAILURES {
            let ids: Vec<usize> = self.orders.keys().copied().collect();
            for id in ids {
                self.fail(id, &error);
            }
            let waiting = self.waiting.drain(..).chain(self.later.drain(..));
            self.finished.extend(waiting.map(|order| Finished {
                id: order.id,
                cuts: Err(Arc::clone(&error)),
            }));
            self.broken = Some(error);
        }
    }

    fn fail(&mut self, id: usize, error: &Arc<FitsError>) {
        let Some(open) = self.orders.remove(&id) else {
            return;
        };
        for piece in open.pieces {
            piece.give_up();
        }
        self.finished.push(Finished {
            id,
            cuts: Err(Arc::clone(error)),
        });
    }

    /// A piece has all its pixels; the last one of an order finishes it.
    fn end(&mut self, piece: &Piece) {
        let Some(open) = self.orders.get_mut(&piece.id) else {
            return;
        };
        open.left -= 1;
        if open.left > 0 {
            return;
        }
        let Some(open) = self.orders.remove(&piece.id) else {
            return;
        };
        let cuts = open
            .pieces
            .iter()
            .map(|piece| Ok(piece.finish(hdu(&self.file, piece.hdu)?)));
        self.finished.push(Finished {
            id: piece.id,
            cuts: cuts.collect::<Result<_, FitsError>>().map_err(Arc::new),
        });
    }

    /// Checks regions, and finds where the walk meets them first.
    fn order(&mut self, id: usize, regions: &[(usize, Region)]) -> Result<Order, FitsError> {
        if let Some(error) = &self.broken {
            return Err(copy_of(error));
        }
        let mut layouts = Vec::with_capacity(regions.len());
        let mut first = None;
        let mut bytes = 0_u64;
        for (number, region) in regions {
            let file = self.file.clone();
            let hdu = hdu(&file, *number)?;
            let layout = Layout::new(hdu, region, self.edge)?;
            let grid = self.grid(hdu, layout.slow_axis())?;
            if hdu.kind() == Kind::Compressed {
                let needed = tiled::memory(grid.tile_pixels(), hdu.bitpix());
                if needed > self.working {
                    return Err(FitsError::TooLarge {
                        what: "decoding its tiles",
                        bytes: needed,
                        limit: self.working,
                    });
                }
            }
            bytes = bytes.saturating_add(layout.needed());
            if let Some((row, tile)) = Walk::new(&grid, &layout.block(hdu)).peek(&grid) {
                let here = (row, *number, tile);
                first = Some(first.map_or(here, |known: (u64, usize, u64)| known.min(here)));
            }
            layouts.push((*number, layout));
        }
        let first = first.ok_or(FitsError::NotAnImage { hdu: 0 })?;
        Ok(Order {
            id,
            layouts,
            bytes,
            first,
        })
    }

    fn grid(&mut self, hdu: &Hdu, slow: usize) -> Result<Arc<Grid>, FitsError> {
        if let Some(grid) = self.grids.get(&hdu.number()) {
            return Ok(Arc::clone(grid));
        }
        let grid = if hdu.kind() == Kind::Compressed {
            Grid::new(hdu.shape(), &hdu.tiles()?.tile, slow)
        } else {
            // Rows.
            let mut tile = vec![1; hdu.shape().len()];
            tile[0] = hdu.shape()[0];
            Grid::new(hdu.shape(), &tile, slow)
        };
        let grid = Arc::new(grid);
        self.grids.insert(hdu.number(), Arc::clone(&grid));
        Ok(grid)
    }

    /// The tiles that come next; none if there are no more or memory is awaited.
    fn next_wave(&mut self, admit: &mut (dyn FnMut(usize, u64) -> Admission + Send)) -> Option<Wave> {
        if !self.sorted {
            self.waiting.make_contiguous().sort_by_key(|order| order.first);
            self.sorted = true;
        }
        let most = if self.file.is_local() {
            LOCAL_WAVE
        } else {
            REMOTE_WAVE
        };
        // Two waves are in memory, as they lie in the file, at the same time.
        let most = most.min(self.working / 4).min(self.wave);
        self.wave = self.wave.saturating_mul(4);
        let mut wave = Wave::default();
        let (mut bytes, mut tiles) = (0, 0);
        let mut last = None;
        while bytes < most && tiles < WAVE_TILES {
            let next = self.walking.peek().map(|Reverse(stop)| (stop.0, stop.1, stop.2));
            if let Some(order) = self.waiting.front()
                && next.is_none_or(|next| order.first <= next)
            {
                match admit(order.id, order.bytes) {
                    Admission::Yes => self.begin(),
                    Admission::Wait => break,
                    Admission::Later => self.later.extend(self.waiting.pop_front()),
                }
                continue;
            }
            let Some(Reverse((_, number, tile, id))) = self.walking.pop() else {
                if self.waiting.is_empty() && self.orders.is_empty() && !self.later.is_empty() {
                    // Once more from the start.
                    self.waiting.extend(self.later.drain(..));
                    self.waiting.make_contiguous().sort_by_key(|order| order.first);
                    continue;
                }
                break;
            };
            let Some(mut walking) = self.pieces.remove(&id) else {
                continue;
            };
            if walking.piece.has_failed() {
                continue;
            }
            let piece = Arc::clone(&walking.piece);
            if self.is_read_whole(number) {
                bytes += piece.layout.read_bytes;
                tiles += 1;
                wave.whole.push(Arc::clone(&piece));
                wave.ended.push(piece);
                continue;
            }
            let plain = hdu(&self.file, number).is_ok_and(|hdu| hdu.kind() != Kind::Compressed);
            if plain {
                bytes += piece.block.size[0] * 8;
                tiles += 1;
            } else if last != Some((number, tile)) {
                bytes += walking.grid.tile_pixels().saturating_mul(4);
                tiles += 1;
            }
            last = Some((number, tile));
            wave.tiles
                .entry(number)
                .or_default()
                .entry(tile)
                .or_default()
                .push(Arc::clone(&piece));
            walking.walk.advance(&walking.grid);
            match walking.walk.peek(&walking.grid) {
                Some((row, tile)) => {
                    self.walking.push(Reverse((row, number, tile, id)));
                    self.pieces.insert(id, walking);
                }
                None => wave.ended.push(piece),
            }
        }
        (tiles > 0).then_some(wave)
    }

    /// Whether regions of an HDU are read alone, row by row: nothing is gained by reading rows together.
    fn is_read_whole(&self, number: usize) -> bool {
        self.file.is_local() && hdu(&self.file, number).is_ok_and(|hdu| hdu.kind() == Kind::Image)
    }

    /// Begins with the order that waits first.
    fn begin(&mut self) {
        let Some(order) = self.waiting.pop_front() else {
            return;
        };
        let failed = Arc::new(AtomicBool::new(false));
        let mut pieces = Vec::with_capacity(order.layouts.len());
        for (number, layout) in order.layouts {
            let (Ok(hdu), Some(grid)) = (hdu(&self.file, number), self.grids.get(&number)) else {
                continue;
            };
            let block = layout.block(hdu);
            let walk = Walk::new(grid, &block);
            let piece = Arc::new(Piece::new(order.id, number, layout, block, Arc::clone(&failed)));
            if let Some((row, tile)) = walk.peek(grid) {
                let id = self.next_piece;
                self.next_piece += 1;
                self.walking.push(Reverse((row, number, tile, id)));
                let walking = Walking {
                    piece: Arc::clone(&piece),
                    walk,
                    grid: Arc::clone(grid),
                };
                self.pieces.insert(id, walking);
            }
            pieces.push(piece);
        }
        let left = pieces.len();
        self.orders.insert(order.id, Open { pieces, left });
    }
}

/// Cuts one region out of an image HDU of `file`.
///
/// Reads no more than the rows or tiles that the box touches; tiles are decoded by the threads of rayon.
/// `limit` bounds the memory (bytes) that the cut holds at any time, its result included; more is
/// [`FitsError::TooLarge`], before anything is read.
pub async fn cut(file: &File, hdu: &Hdu, region: &Region, edge: Edge, limit: u64) -> Result<Cut, FitsError> {
    let needed = Layout::new(hdu, region, edge)?.needed();
    if needed > limit {
        return Err(FitsError::TooLarge {
            what: "the cutout",
            bytes: needed,
            limit,
        });
    }
    let mut sweep = Sweep::new(file.clone(), edge, limit - needed);
    sweep.add(0, &[(hdu.number(), region.clone())]);
    let Step::Finished(mut finished) = sweep.step(&mut |_, _| Admission::Yes).await else {
        return Err(FitsError::NotAnImage { hdu: hdu.number() });
    };
    drop(sweep);
    let cuts = finished.pop().map(|finished| finished.cuts);
    match cuts {
        Some(Ok(mut cuts)) => cuts.pop().ok_or(FitsError::NotAnImage { hdu: hdu.number() }),
        Some(Err(error)) => Err(Arc::try_unwrap(error).unwrap_or_else(|error| copy_of(&error))),
        None => Err(FitsError::NotAnImage { hdu: hdu.number() }),
    }
}

fn hdu(file: &File, number: usize) -> Result<&Hdu, FitsError> {
    file.hdus()
        .get(number)
        .ok_or(FitsError::NotAnImage { hdu: number })
}

/// The same problem for another region.
fn copy_of(error: &FitsError) -> FitsError {
    FitsError::Source(match error {
        FitsError::Source(SourceError::NotFound) => SourceError::NotFound,
        FitsError::Source(SourceError::Changed) => SourceError::Changed,
        other => SourceError::Other(other.to_string().into()),
    })
}

/// Fetches a wave: rows of the tables of tiles first, then everything else in one go.
async fn fetch(file: File, mut wave: Wave, working: u64) -> (Wave, Result<Fetched, FitsError>) {
    let fetched = fetch_all(&file, &mut wave, working).await;
    (wave, fetched)
}

async fn fetch_all(file: &File, wave: &mut Wave, working: u64) -> Result<Fetched, FitsError> {
    let mut fetched = Fetched::default();
    read_whole(file, &wave.whole).await?;
    let mut ranges: Vec<(Range<u64>, Place)> = Vec::new();
    let mut lines = Vec::new();
    let mut tables = Vec::new();
    for (number, tiles) in &wave.tiles {
        let hdu = hdu(file, *number)?;
        if hdu.kind() == Kind::Compressed {
            let (table, faulty) = Table::read(file, hdu, tiles).await?;
            fetched.faulty.extend(faulty);
            for (at, cells) in table.ranges.iter().enumerate() {
                let cells = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
                ranges.extend(
                    cells.map(|(column, cell)| (cell.clone(), Place::Cell(tables.len(), at, column))),
                );
            }
            tables.push(table);
            continue;
        }
        let (width, start) = (hdu.bitpix().bytes(), hdu.data().start);
        for (row, pieces) in tiles {
            for piece in pieces {
                let (from, at) = line(&piece.block, *row);
                let from = start + from * width;
                ranges.push((from..from + piece.block.size[0] * width, Place::Line(lines.len())));
                lines.push((piece, (at * width) as usize));
            }
        }
    }
    let cells = ranges
        .iter()
        .filter(|(_, place)| matches!(place, Place::Cell(..)));
    let needed = cells.fold(0_u64, |sum, (range, _)| {
        sum.saturating_add(2 * (range.end - range.start))
    });
    if needed > working {
        return Err(FitsError::TooLarge {
            what: "fetching its tiles",
            bytes: needed,
            limit: working,
        });
    }
    ranges.sort_by_key(|(range, _)| (range.start, range.end));
    let wanted = ranges.iter().map(|(range, _)| range.clone()).collect();
    let parts = source::read(file.source(), wanted).await?;
    for ((_, place), part) in ranges.iter().zip(parts) {
        match *place {
            Place::Line(line) => fetched
                .lines
                .push((part, Arc::clone(lines[line].0), lines[line].1)),
            Place::Cell(table, at, column) => tables[table].cells[at][column] = part,
        }
    }
    for table in tables {
        fetched.work.extend(table.work(&wave.tiles));
    }
    Ok(fetched)
}

/// What a range is fetched for.
enum Place {
    Line(usize),
    /// Table, tile of it, column.
    Cell(usize, usize, usize),
}

/// The tiles of an HDU that are fetched.
struct Table<'a> {
    hdu: &'a Hdu,
    tiles: &'a Arc<Tiles>,
    grid: Grid,
    numbers: Vec<u64>,
    rows: Vec<Bytes>,
    /// Of each tile, for each column of the heap.
    ranges: Vec<Vec<Range<u64>>>,
    cells: Vec<Vec<Bytes>>,
}

impl<'a> Table<'a> {
    /// Reads the rows of tiles; those whose rows are bad spoil their pieces.
    async fn read(
        file: &File,
        hdu: &'a Hdu,
        touched: &BTreeMap<u64, Vec<Arc<Piece>>>,
    ) -> Result<(Table<'a>, Vec<Faulty>), FitsError> {
        let tiles = hdu.tiles()?;
        let grid = Grid::new(hdu.shape(), &tiles.tile, 0);
        let all: Vec<u64> = touched.keys().copied().collect();
        let all_rows = tiles.rows(file.source(), &all).await?;
        let (mut numbers, mut rows, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        let mut faulty = Vec::new();
        for ((number, pieces), row) in touched.iter().zip(all_rows) {
            match tiled::cells(hdu, tiles, *number, &row, grid.pixels(*number)) {
                Ok(cells) => {
                    numbers.push(*number);
                    rows.push(row);
                    ranges.push(cells);
                }
                Err(error) => {
                    let error = Arc::new(error);
                    faulty.extend(pieces.iter().map(|piece| (Arc::clone(piece), Arc::clone(&error))));
                }
            }
        }
        let cells = ranges
            .iter()
            .map(|cells: &Vec<_>| vec![Bytes::new(); cells.len()])
            .collect();
        let table = Table {
            hdu,
            tiles,
            grid,
            numbers,
            rows,
            ranges,
            cells,
        };
        Ok((table, faulty))
    }

    /// What is to be decoded, its cells being there.
    fn work(&self, touched: &BTreeMap<usize, BTreeMap<u64, Vec<Arc<Piece>>>>) -> Vec<Work> {
        let Some(touched) = touched.get(&self.hdu.number()) else {
            return Vec::new();
        };
        let mut at = 0;
        let works = self.grid.strips(&self.numbers).into_iter().flat_map(|strip| {
            let end = at + strip.count as usize;
            let pieces = distinct(strip.tiles().filter_map(|tile| touched.get(&tile)).flatten());
            let (rows, cells) = (&self.rows[at..end], &self.cells[at..end]);
            at = end;
            Work::new(self.hdu, self.tiles, &strip, rows, cells, &pieces)
        });
        works.collect()
    }
}

fn distinct<'a>(pieces: impl Iterator<Item = &'a Arc<Piece>>) -> Vec<Arc<Piece>> {
    let mut all: Vec<Arc<Piece>> = pieces.cloned().collect();
    all.sort_by_key(Arc::as_ptr);
    all.dedup_by(|one, other| Arc::ptr_eq(one, other));
    all
}

/// Where a row of a plain image has the pixels of a block, in the image and in the block's own array.
fn line(block: &Block, row: u64) -> (u64, u64) {
    let shape = &block.from.0;
    let mut rest = row;
    let (mut to, mut stride) = (0, block.size[0]);
    for (axis, length) in shape.iter().enumerate().skip(1) {
        let at = rest % length;
        rest /= length;
        to += (at - block.from.1[axis]) * stride;
        stride *= block.size[axis];
    }
    (row * shape[0] + block.from.1[0], to)
}

/// Reads pieces of plain images straight to where they belong, several in one go and some goes at the same time.
async fn read_whole(file: &File, pieces: &[Arc<Piece>]) -> Result<(), FitsError> {
    let mut readers = FuturesUnordered::new();
    let mut rest = pieces;
    while !rest.is_empty() {
        let mut bytes = 0;
        let together = rest.iter().take_while(|piece| {
            let fits = bytes < READ_TOGETHER;
            bytes += piece.layout.read_bytes;
            fits
        });
        let (group, others) = rest.split_at(together.count());
        rest = others;
        if readers.len() >= READERS {
            readers.try_next().await?;
        }
        readers.push(read_pieces(file, group));
    }
    while readers.try_next().await?.is_some() {}
    Ok(())
}

async fn read_pieces(file: &File, pieces: &[Arc<Piece>]) -> Result<(), FitsError> {
    let wanted: Vec<_> = pieces.iter().filter(|piece| !piece.has_failed()).collect();
    let mut fillings = Vec::with_capacity(wanted.len());
    for piece in &wanted {
        let hdu = hdu(file, piece.hdu)?;
        let (width, start) = (hdu.bitpix().bytes(), hdu.data().start);
        let ranges = piece.block.lines().map(|line| {
            let from = start + line.from * width;
            (from..from + line.length * width, (line.to * width) as usize)
        });
        fillings.push(Filling {
            ranges: ranges.collect(),
            buffer: std::mem::take(&mut *piece.data()),
        });
    }
    let filled = file.source().fill(fillings).await?;
    for (piece, buffer) in wanted.into_iter().zip(filled) {
        *piece.data() = buffer;
    }
    Ok(())
}

/// Decodes a wave on the threads of rayon and pushes its pixels to where they belong; gives what could not be decoded.
async fn decode(
    file: File,
    wave: Wave,
    fetched: Fetched,
    working: u64,
    cancelled: Arc<AtomicBool>,
) -> (Wave, Vec<Faulty>) {
    let padded: Vec<_> = wave
        .ended
        .iter()
        .filter(|piece| piece.layout.is_padded())
        .cloned()
        .collect();
    if fetched.work.is_empty() && fetched.lines.is_empty() && padded.is_empty() {
        return (wave, fetched.faulty);
    }
    let (send, receive) = oneshot::channel();
    rayon::spawn(move || {
        let faulty = catch_unwind(AssertUnwindSafe(|| {
            let mut faulty = decode_all(fetched, working, &cancelled);
            faulty.extend(padded.into_iter().filter_map(|piece| {
                let done = hdu(&file, piece.hdu).and_then(|hdu| piece.pad(hdu));
                done.err().map(|error| (piece, Arc::new(error)))
            }));
            faulty
        }));
        // Nobody waits any more if the sweep was dropped.
        let _ = send.send(faulty);
    });
    if let Ok(Ok(faulty)) = receive.await {
        return (wave, faulty);
    }
    let error = Arc::new(FitsError::Source(SourceError::Other("decoding failed".into())));
    let touched = wave.tiles.values().flat_map(BTreeMap::values).flatten();
    let faulty = touched
        .chain(&wave.ended)
        .map(|piece| (Arc::clone(piece), Arc::clone(&error)));
    let faulty = faulty.collect();
    (wave, faulty)
}

fn decode_all(fetched: Fetched, working: u64, cancelled: &AtomicBool) -> Vec<Faulty> {
    fetched.lines.par_chunks(256).for_each(|lines| {
        for (part, piece, at) in lines {
            let mut data = piece.data();
            if let Some(to) = data.get_mut(*at..*at + part.len()) {
                to.copy_from_slice(part);
            }
        }
    });
    let mut faulty = fetched.faulty;
    // As many at once as there is memory for, whatever the number of threads.
    let largest = fetched.work.iter().map(Work::memory).max().unwrap_or(1);
    let fit = (working / 2 / largest.max(1)).max(1) as usize;
    let group = if fit >= rayon::current_num_threads() {
        fetched.work.len()
    } else {
        fit
    };
    for work in fetched.work.chunks(group.max(1)) {
        faulty.par_extend(work.par_iter().flat_map_iter(|work| {
            if cancelled.load(Ordering::Relaxed) {
                Vec::new()
            } else {
                work.run()
            }
        }));
    }
    faulty
}
