//! How the pixels of a box lie in one array and in another: the walk that every copy makes.

/// A box of pixels that lies in two arrays, all axes NAXIS1 first.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Pixels of the box.
    pub(super) size: Vec<u64>,
    /// Shape of the array it is copied from, and where the box begins there.
    pub(super) from: (Vec<u64>, Vec<u64>),
    /// Shape of the array it is copied to, and where it begins there.
    pub(super) to: (Vec<u64>, Vec<u64>),
}

/// A run of pixels that follow one another in both arrays; offsets in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) length: u64,
}

impl Block {
    /// The lines of the box along its first axis, joined where both arrays go on. Shapes and starts have an
    /// element for each axis, the box lies in both arrays, and both have fewer pixels than a `u64` counts.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        let mut rows = self.rows();
        let mut next = rows.next();
        std::iter::from_fn(move || {
            let mut line = next?;
            loop {
                next = rows.next();
                match next {
                    Some(more)
                        if more.from == line.from + line.length && more.to == line.to + line.length =>
                    {
                        line.length += more.length;
                    }
                    _ => return Some(line),
                }
            }
        })
    }

    fn rows(&self) -> impl Iterator<Item = Line> {
        let (from, to) = (strides(&self.from.0), strides(&self.to.0));
        let origin =
            |start: &[u64], strides: &[u64]| start.iter().zip(strides).map(|(at, stride)| at * stride).sum();
        let mut line = Line {
            from: origin(&self.from.1, &from),
            to: origin(&self.to.1, &to),
            length: self.size.first().copied().unwrap_or(0),
        };
        let mut at = vec![0; self.size.len()];
        let mut more = !self.size.is_empty() && !self.size.contains(&0);
        std::iter::from_fn(move || {
            if !more {
                return None;
            }
            let this = line;
            more = false;
            for axis in 1..at.len() {
                at[axis] += 1;
                line.from += from[axis];
                line.to += to[axis];
                if at[axis] < self.size[axis] {
                    more = true;
                    break;
                }
                line.from -= at[axis] * from[axis];
                line.to -= at[axis] * to[axis];
                at[axis] = 0;
            }
            Some(this)
        })
    }
}

/// Pixels from one to the next along each axis.
fn strides(shape: &[u64]) -> Vec<u64> {
    shape
        .iter()
        .scan(1, |stride, length| {
            let this = *stride;
            *stride *= length;
            Some(this)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_where_both_arrays_go_on() {
        let whole = Block {
            size: vec![4, 2, 3],
            from: (vec![4, 5, 3], vec![0, 1, 0]),
            to: (vec![4, 2, 3], vec![0; 3]),
        };
        let lines: Vec<_> = whole.lines().map(|l| (l.from, l.to, l.length)).collect();
        assert_eq!(lines, [(4, 0, 8), (24, 8, 8), (44, 16, 8)]);
        let part = Block {
            size: vec![2, 2],
            from: (vec![5, 5], vec![3, 1]),
            to: (vec![4, 4], vec![1, 2]),
        };
        let lines: Vec<_> = part.lines().map(|l| (l.from, l.to, l.length)).collect();
        assert_eq!(lines, [(8, 9, 2), (13, 13, 2)]);
        let none = Block {
            size: vec![2, 0],
            from: (vec![5, 5], vec![0, 0]),
            to: (vec![5, 5], vec![0, 0]),
        };
        assert_eq!(none.lines().count(), 0);
    }
}
