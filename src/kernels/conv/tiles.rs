//! How the positions of an image batch are divided into work items.

/// Some images, rows and columns that are computed together: many small images, or rows of one image, or a stretch
/// of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub images: (usize, usize),
    pub rows: (usize, usize),
    pub columns: (usize, usize),
}

impl Tile {
    pub(crate) fn images(&self) -> usize {
        self.images.1 - self.images.0
    }

    /// Height and width.
    pub(crate) fn size(&self) -> [usize; 2] {
        [self.rows.1 - self.rows.0, self.columns.1 - self.columns.0]
    }

    pub(crate) fn pixels(&self) -> usize {
        self.images() * self.size()[0] * self.size()[1]
    }
}

/// Ranges of nearly `step`, all of nearly the same length.
fn ranges(len: usize, step: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let parts = len.div_ceil(step.max(1)).max(1);
    (0..parts).map(move |i| (len * i / parts, len * (i + 1) / parts))
}

/// Tiles of about `target` positions that cover `batch` images of `size`.
pub(crate) fn tiles(batch: usize, size: [usize; 2], target: usize) -> Vec<Tile> {
    let [height, width] = size;
    let images = (target / (height * width).max(1)).max(1);
    let rows = (target / width.max(1)).clamp(1, height.max(1));
    let columns = if width > 2 * target { target } else { width };
    let mut tiles = Vec::new();
    for images in ranges(batch, images) {
        for rows in ranges(height, rows) {
            tiles.extend(ranges(width, columns).map(|columns| Tile { images, rows, columns }));
        }
    }
    tiles
}
